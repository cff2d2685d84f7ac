#pragma once

#include <filesystem>

namespace kvmesh::orchestrator::detail {

/// A folder of our own (mode 0700) among the temporary files, gone with everything in it when this object is.
class PrivateFolder {
 public:
  PrivateFolder();
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace kvmesh::orchestrator::detail

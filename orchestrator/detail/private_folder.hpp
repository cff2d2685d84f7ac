#pragma once

#include <filesystem>

namespace kvmesh::orchestrator::detail {

/// A folder of our own (mode 0700) among the temporary files, gone with everything in it when this object is. Those
/// that a killed process of the same user has left behind are removed first: each holds a file that its process keeps
/// locked as long as it lives, whatever ends it.
class PrivateFolder {
 public:
  PrivateFolder();
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace kvmesh::orchestrator::detail

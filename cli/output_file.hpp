#pragma once

#include <filesystem>
#include <string>

namespace kvmesh::cli {

/// A file that a command writes when its work is done, opened before the work begins, so that a path that cannot be
/// written costs no work. What stood in the file stays until write(); a file that was not there is gone again where
/// write() is never reached. A resource.
class OutputFile {
 public:
  /// `option` is what named it: "--plot". Throws Error{kFixInput} that names both where it cannot be opened for
  /// writing.
  OutputFile(std::string option, std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Replaces what stands there. Throws Error{kGiveUp} with the reason, such as a full disk. Once.
  void write(const std::string& text);

 private:
  std::string option_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  bool made_ = false;  ///< by us, and nothing was written yet
};

/// A folder that files will be written into, made if it is not there. Throws Error{kFixInput} that names it and
/// `option` where that cannot be.
void prepare_folder(const std::string& option, const std::filesystem::path& folder);

}  // namespace kvmesh::cli

#include "cli/output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::cli {

OutputFile::OutputFile(std::string option, std::filesystem::path path)
    : option_(std::move(option)), path_(std::move(path)) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_CLOEXEC;
  constexpr mode_t kMode = 0666;
  descriptor_ = ::open(path_.c_str(), kFlags | O_EXCL, kMode);
  made_ = descriptor_ >= 0;
  if (!made_ && errno == EEXIST) descriptor_ = ::open(path_.c_str(), kFlags, kMode);
  if (descriptor_ < 0)
    fail_input(option_, ": ", path_.string(), " cannot be written (", std::strerror(errno),
               "); name a file in a folder that is there");
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (made_) ::unlink(path_.c_str());
}

void OutputFile::write(const std::string& text) {
  const auto fail = [this] {
    throw Error(ErrorKind::kGiveUp, cat(option_, ": ", path_.string(), " cannot be written (", std::strerror(errno),
                                        "); what is there now is incomplete"));
  };
  made_ = false;
  // A device or a pipe has no length.
  if (::ftruncate(descriptor_, 0) != 0 && errno != EINVAL) fail();
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(descriptor_, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) fail();
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  if (::close(std::exchange(descriptor_, -1)) != 0) fail();
}

void prepare_folder(const std::string& option, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && !std::filesystem::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  if (!error && ::access(folder.c_str(), W_OK | X_OK) != 0) error = std::error_code(errno, std::generic_category());
  if (error)
    fail_input(option, ": files cannot be written into ", folder.string(), " (", error.message(),
               "); name a folder that can be written");
}

}  // namespace kvmesh::cli

#include "orchestrator/detail/private_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

#include "base/error.hpp"

namespace kvmesh::orchestrator::detail {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "kvmesh-mesh-";
constexpr char kLock[] = "lock";

/// Socket paths hold 107 bytes, agents' names and all: a long TMPDIR leaves too little.
std::string temporary_files() {
  constexpr std::size_t kLongest = 40;
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder == '/' && std::strlen(folder) <= kLongest ? folder : "/tmp";
}

/// The descriptor of the folder's lock, now ours; -1 where it is another's, or there is none.
int take_lock(const fs::path& folder, int flags) {
  const int lock = ::open((folder / kLock).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
  if (lock >= 0 && ::flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  if (lock >= 0) ::close(lock);
  return -1;
}

bool is_ours(const fs::path& folder) {
  struct stat status {};
  return ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::getuid();
}

/// One without a lock is just being made, or was left at that: empty, and whoever makes it makes another.
void remove_if_stale(const fs::path& folder) {
  std::error_code ignored;
  if (const int lock = take_lock(folder, 0); lock >= 0) {
    fs::remove_all(folder, ignored);
    ::close(lock);
  } else {
    ::rmdir(folder.c_str());
  }
}

void remove_stale_folders(const fs::path& among) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(among, fs::directory_options::skip_permission_denied, error))
    if (entry.path().filename().string().starts_with(kPrefix) && is_ours(entry.path())) remove_if_stale(entry.path());
}

}  // namespace

PrivateFolder::PrivateFolder() {
  const std::string among = temporary_files();
  remove_stale_folders(among);
  // Another process may take a folder for stale before its lock is ours, and then removes it.
  for (int attempt = 0; lock_ < 0 && attempt < 100; ++attempt) {
    std::string path = cat(among, '/', kPrefix, "XXXXXX");
    if (::mkdtemp(path.data()) == nullptr) break;
    path_ = path;
    lock_ = take_lock(path_, O_CREAT | O_EXCL);
  }
  if (lock_ < 0)
    throw Error(ErrorKind::kGiveUp, cat("cannot make a folder of our own in ", among, ": ", std::strerror(errno)));
}

PrivateFolder::~PrivateFolder() {
  std::error_code ignored;  // nothing is left to be done about it
  fs::remove_all(path_, ignored);
  ::close(lock_);
}

}  // namespace kvmesh::orchestrator::detail

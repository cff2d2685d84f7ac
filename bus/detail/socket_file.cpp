#include "bus/detail/socket_file.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::bus::detail {

bool someone_listens_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) {
    throw Error(ErrorKind::kGiveUp, cat("cannot make a socket to look at \"", path, "\": ", std::strerror(errno)));
  }
  const bool accepted = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  const bool listening = accepted || errno == EAGAIN;  // EAGAIN: its backlog is full, so there is one
  ::close(probe);
  return listening;
}

void check_socket_path_is_free(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) {
    fail_input("cannot bind ipc://", path, ": a file that is no socket stands there; choose another path");
  }
  if (someone_listens_at(path)) {
    fail_input("cannot bind ipc://", path, ": another process listens there; stop it or choose another path");
  }
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) {
    throw Error(ErrorKind::kGiveUp, cat("ipc://", path_, " was bound and has no file: ", std::strerror(errno)));
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

SocketFile::~SocketFile() {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

PrivateUmask::PrivateUmask() : before_(::umask(0177)) {}
PrivateUmask::~PrivateUmask() { ::umask(before_); }

}  // namespace kvmesh::bus::detail

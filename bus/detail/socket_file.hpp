#pragma once

#include <sys/types.h>

#include <string>

namespace kvmesh::bus::detail {

/// Throws Error{kFixInput} where an ipc socket cannot be bound at `path` without harm: something that is no socket
/// stands there, or another process listens there. ZeroMQ would delete either and go on. A socket file that nobody
/// listens on is left for ZeroMQ to replace.
void check_socket_path_is_free(const std::string& path);

/// Whether a process listens on the socket at `path`.
bool someone_listens_at(const std::string& path);

/// The file of an ipc socket that was bound at `path`, removed at the end of its life: libzmq 4.3.4 leaves it behind. A
/// file that has taken its place since is another's, and stays.
class SocketFile {
 public:
  explicit SocketFile(std::string path);
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

 private:
  const std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// While it lives, files that this process makes are open to its own user alone (0600), so that no other user can
/// connect to a socket between its bind and a chmod. The mask belongs to the whole process: a file that another thread
/// makes meanwhile is private too.
class PrivateUmask {
 public:
  PrivateUmask();
  ~PrivateUmask();
  PrivateUmask(const PrivateUmask&) = delete;
  PrivateUmask& operator=(const PrivateUmask&) = delete;

 private:
  mode_t before_;
};

}  // namespace kvmesh::bus::detail

#pragma once

#include <sys/types.h>

#include <string>

namespace kvmesh::bus::detail {

/// Throws Error{kFixInput} where an ipc socket cannot be bound at `path` without harm: something that is no socket stands
/// there, or another process listens there. ZeroMQ would delete either and go on. A socket file that nobody listens on
/// is left for ZeroMQ to replace.
void check_socket_path_is_free(const std::string& path);

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

#include "bus/stale_socket.hpp"

#include <signal.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "bus/detail/socket_file.hpp"

namespace kvmesh::bus {
namespace {

/// 0: the name does not end in one.
pid_t pid_in(const std::string& name) {
  const std::string digits = name.substr(name.rfind('.') + 1);
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  return error == std::errc() && end == digits.data() + digits.size() && pid > 0 ? pid : 0;
}

}  // namespace

bool is_stale_socket(const std::filesystem::path& path) {
  const pid_t pid = pid_in(path.filename().string());
  return pid != 0 && ::kill(pid, 0) != 0 && errno == ESRCH && !detail::someone_listens_at(path.string());
}

}  // namespace kvmesh::bus

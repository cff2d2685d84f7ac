#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace kvmesh {

/// What the one who sees an error can do about it.
enum class ErrorKind {
  kFixInput,   ///< a file, a flag or a message is wrong: change it and try again
  kRetry,      ///< nothing is wrong but the time or the load: the same call may work later
  kReconnect,  ///< the other end is gone or speaks another protocol: start it anew
  kGiveUp,     ///< a bug, or a resource that is not to be had
};

/// Lower-case name of `kind`, as it travels on the wire and stands in logs: "fix-input", "retry", "reconnect",
/// "give-up".
std::string to_string(ErrorKind kind);

/// The inverse of to_string; an unknown name is kGiveUp, so that a newer peer's kind is never taken for a harmless one.
ErrorKind error_kind_from_string(const std::string& name);

/// The one exception type of kvmesh. `what()` is one sentence that names the file, line, agent or edge and says what to
/// do. Thrown where something fails, caught only where a process, a request or a command ends.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// The arguments written one after the other with operator<<.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

/// Throws Error{kFixInput}: the caller's input is wrong. The parts are joined as by cat().
template <typename... Parts>
[[noreturn]] void fail_input(const Parts&... parts) {
  throw Error(ErrorKind::kFixInput, cat(parts...));
}

}  // namespace kvmesh

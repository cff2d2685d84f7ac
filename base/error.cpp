#include "base/error.hpp"

namespace kvmesh {

std::string to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kFixInput: return "fix-input";
    case ErrorKind::kRetry: return "retry";
    case ErrorKind::kReconnect: return "reconnect";
    case ErrorKind::kGiveUp: return "give-up";
  }
  return "give-up";
}

ErrorKind error_kind_from_string(const std::string& name) {
  for (ErrorKind kind : {ErrorKind::kFixInput, ErrorKind::kRetry, ErrorKind::kReconnect})
    if (name == to_string(kind)) return kind;
  return ErrorKind::kGiveUp;
}

}  // namespace kvmesh

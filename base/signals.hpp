#pragma once

#include <csignal>

namespace kvmesh {

/// Whether whoever started this process wants it to ignore `signal`, as nohup does with SIGHUP. To be asked before
/// anything here takes it.
inline bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace kvmesh

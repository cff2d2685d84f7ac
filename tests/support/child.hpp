#pragma once

#include <boost/process/child.hpp>
#include <chrono>
#include <system_error>
#include <thread>

namespace kvmesh::test {

/// Polls until `child` has ended and is reaped; false at the deadline. Not child::wait_for: that waits for a SIGCHLD,
/// which another thread, or another child's end, can use up.
inline bool ends_within(boost::process::child& child, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  std::error_code ignored;
  while (child.running(ignored)) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace kvmesh::test

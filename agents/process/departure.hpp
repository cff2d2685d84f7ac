#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/deadline.hpp"

namespace kvmesh::agents {

/// Ends the process where its end in order takes too long. A thread that reads weights, or waits for room on the bus,
/// cannot be interrupted, and whoever sent SIGTERM does not wait for it. Made before, and so destroyed after,
/// everything that the end may wait for.
class Departure {
 public:
  /// What the end in order may take.
  static constexpr std::chrono::milliseconds kInOrder{1'500};

  Departure() = default;
  /// The end has come in order.
  ~Departure();
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

  /// The end has begun. After kInOrder `last` is called on a thread of its own: it is to remove what outlives a
  /// process, say what is to be said, and give the exit status. Once.
  void begin(std::function<int()> last);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace kvmesh::agents

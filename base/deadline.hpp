#pragma once

#include <algorithm>
#include <chrono>

namespace kvmesh {

/// The moment by which something must have happened. Time is passed in, so that what decides with it can be tested
/// without a clock.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline at(Clock::time_point when) { return Deadline(when); }
  static Deadline after(Clock::duration wait, Clock::time_point now = Clock::now()) { return Deadline(now + wait); }

  bool expired(Clock::time_point now = Clock::now()) const { return now >= when_; }

  /// Time left, never negative; rounded up to whole milliseconds, as poll() wants it, so that a wait of this length
  /// never ends before the deadline.
  std::chrono::milliseconds remaining(Clock::time_point now = Clock::now()) const {
    return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(when_ - now));
  }

  Clock::time_point when() const { return when_; }

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}
  Clock::time_point when_;
};

}  // namespace kvmesh

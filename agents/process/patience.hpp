#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace kvmesh::agents {

/// When to say what is being waited for: a second after the wait has begun, after ten, and then every minute. Decides
/// and does nothing.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  /// `what` is being waited for at `now`, nothing: the wait is over. What is to be said, if it is time to; once.
  std::optional<std::string> say(const std::optional<std::string>& what, Clock::time_point now) {
    if (what != what_) {
      what_ = what;
      since_ = now;
      next_ = now + std::chrono::seconds(1);
    }
    if (!what_ || now < next_) return std::nullopt;
    const bool first = next_ < since_ + std::chrono::seconds(10);
    next_ = first ? since_ + std::chrono::seconds(10) : now + std::chrono::minutes(1);
    return what_;
  }

 private:
  std::optional<std::string> what_;
  Clock::time_point since_{};
  Clock::time_point next_{};
};

}  // namespace kvmesh::agents

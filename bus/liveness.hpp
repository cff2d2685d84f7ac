#pragma once

#include <chrono>

namespace kvmesh::bus {

/// Whether the peer at the other end of a control connection still lives, and when to tell it that we do. Decides and
/// does nothing: no clock, no socket, no timer. Its owner reports what it heard and sent, asks, and sleeps until
/// next_wakeup(). One object a peer, used from one thread.
///
/// Any message counts, not heartbeats alone: a peer that sends results is alive, and one that gets tasks knows that we
/// are. Both ends use the same two durations.
class Liveness {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds kInterval{500};
  static constexpr std::chrono::milliseconds kTimeout{3'000};

  /// The peer counts as heard at `now`, and a heartbeat is due at once. Throws Error{kFixInput} unless
  /// 0 < interval < timeout.
  explicit Liveness(Clock::time_point now, Clock::duration interval = kInterval, Clock::duration timeout = kTimeout);

  void heard(Clock::time_point now);  ///< the peer sent something
  void sent(Clock::time_point now);   ///< we sent it something

  bool due_to_send(Clock::time_point now) const { return now >= next_send_; }
  bool dead(Clock::time_point now) const { return now >= dies_at_; }

  /// How long the peer has been silent; never negative.
  Clock::duration silence(Clock::time_point now) const;

  /// The next moment at which due_to_send() or dead() can turn true.
  Clock::time_point next_wakeup() const;

 private:
  Clock::duration interval_;
  Clock::duration timeout_;
  Clock::time_point next_send_;
  Clock::time_point dies_at_;
};

}  // namespace kvmesh::bus

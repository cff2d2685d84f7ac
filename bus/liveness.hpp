#pragma once

#include <chrono>

namespace kvmesh::bus {

/// Whether the peer at the other end of a control connection still lives, and when to tell it that we do. Decides and
/// does nothing: no clock, no socket, no timer. Its owner reports what it heard and sent, asks, and sleeps until
/// next_wakeup(). One object a peer, used from one thread.
///
/// Any message counts, not heartbeats alone: a peer that sends results is alive, and one that gets tasks knows that we
/// are. Silence is not death: a process that ends, and a connection that ends, are known from the system at once. The
/// timeout is for what nothing else tells of, and may be as long as a debugger needs.
class Liveness {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds kInterval{500};
  /// Where nobody says.
  static constexpr std::chrono::milliseconds kTimeout{10'000};
  /// What a timeout may be set to.
  static constexpr std::chrono::milliseconds kShortest{1'000}, kLongest{24 * 3'600'000};

  /// The peer counts as heard at `now`, and a heartbeat is due at once. Throws Error{kFixInput} unless
  /// 0 < interval < timeout.
  explicit Liveness(Clock::time_point now, Clock::duration interval = kInterval, Clock::duration timeout = kTimeout);

  void heard(Clock::time_point now);  ///< the peer sent something
  void sent(Clock::time_point now);   ///< we sent it something
  /// To be called at every wakeup, before dead(). Where that comes late, we were not running ourselves (stopped, or on
  /// a host that hung) and what the peer sent meanwhile is not read yet: that time does not count as its silence.
  void awake(Clock::time_point now);

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
  Clock::time_point awake_at_;
};

}  // namespace kvmesh::bus

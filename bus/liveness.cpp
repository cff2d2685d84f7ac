#include "bus/liveness.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace kvmesh::bus {

Liveness::Liveness(Clock::time_point now, Clock::duration interval, Clock::duration timeout)
    : interval_(interval), timeout_(timeout), next_send_(now), dies_at_(now + timeout), awake_at_(now) {
  if (interval <= Clock::duration::zero() || interval >= timeout) {
    fail_input("a heartbeat interval must be longer than nothing and shorter than the timeout");
  }
}

// Reports may come out of order (two queues, one clock): the latest counts.
void Liveness::heard(Clock::time_point now) { dies_at_ = std::max(dies_at_, now + timeout_); }

void Liveness::sent(Clock::time_point now) { next_send_ = std::max(next_send_, now + interval_); }

// Who looks after a peer wakes at least once an interval, to send it a heartbeat.
void Liveness::awake(Clock::time_point now) {
  const Clock::duration slept = now - awake_at_;
  if (slept > 2 * interval_) dies_at_ += slept;
  awake_at_ = std::max(awake_at_, now);
}

Liveness::Clock::duration Liveness::silence(Clock::time_point now) const {
  return std::max(Clock::duration::zero(), now - (dies_at_ - timeout_));
}

Liveness::Clock::time_point Liveness::next_wakeup() const { return std::min(next_send_, dies_at_); }

}  // namespace kvmesh::bus

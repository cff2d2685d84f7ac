#include "agents/process/departure.hpp"

#include <cstdlib>
#include <utility>

namespace kvmesh::agents {

Departure::~Departure() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Departure::begin(std::function<int()> last) {
  if (thread_.joinable()) return;
  const Deadline deadline = Deadline::after(kInOrder);
  thread_ = std::thread([this, deadline, last = std::move(last)] {
    std::unique_lock lock(mutex_);
    if (changed_.wait_until(lock, deadline.when(), [this] { return over_; })) return;
    std::_Exit(last());
  });
}

}  // namespace kvmesh::agents

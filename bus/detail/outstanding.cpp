#include "bus/detail/outstanding.hpp"

#include <utility>

namespace kvmesh::bus::detail {

std::shared_ptr<const void> Outstanding::take(std::size_t bytes, std::shared_ptr<const void> keeps) {
  {
    const std::lock_guard lock(mutex_);
    bytes_ += bytes;
  }
  return {this, [self = shared_from_this(), bytes, keeps = std::move(keeps)](const void*) mutable {
            keeps.reset();
            self->let_go(bytes);
          }};
}

std::size_t Outstanding::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

bool Outstanding::wake_at(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes_ <= bytes) return false;
  wake_at_ = bytes;
  return true;
}

void Outstanding::let_go(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    bytes_ -= bytes;
    if (!wake_at_ || bytes_ > *wake_at_) return;
    wake_at_.reset();
  }
  wake_();
}

}  // namespace kvmesh::bus::detail

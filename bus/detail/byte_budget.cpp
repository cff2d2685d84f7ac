#include "bus/detail/byte_budget.hpp"

#include <utility>

#include "base/error.hpp"

namespace kvmesh::bus::detail {

ByteBudget::Charge::Charge(std::shared_ptr<ByteBudget> budget, std::size_t bytes)
    : budget_(std::move(budget)), bytes_(bytes) {}

ByteBudget::Charge::~Charge() { budget_->give_back(bytes_); }

ByteBudget::ByteBudget(std::size_t limit) : limit_(limit) {}

std::shared_ptr<ByteBudget::Charge> ByteBudget::take(std::size_t bytes, const std::string& topic,
                                                     const Deadline& deadline) {
  if (bytes > limit_) {
    fail_input("a message of ", bytes, " bytes on \"", topic, "\" is larger than the publish budget of ", limit_,
               " bytes: raise the budget or send smaller messages");
  }
  std::unique_lock lock(mutex_);
  const auto settled = [&] { return closed_ || in_use_ + bytes <= limit_; };
  const bool in_time = changed_.wait_until(lock, deadline.when(), settled);
  if (closed_) throw Error(ErrorKind::kGiveUp, cat("cannot publish on \"", topic, "\": ", closed_reason_));
  if (!in_time) {
    throw Error(ErrorKind::kRetry, cat("cannot publish ", bytes, " bytes on \"", topic, "\": ", in_use_, " of ", limit_,
                                       " bytes still wait for a subscriber that does not keep up; try again later"));
  }
  auto charge = std::make_shared<Charge>(shared_from_this(), bytes);
  in_use_ += bytes;
  return charge;
}

void ByteBudget::close(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (!closed_) closed_reason_ = reason;
  closed_ = true;
  changed_.notify_all();
}

std::size_t ByteBudget::in_use() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

void ByteBudget::give_back(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  in_use_ -= bytes;
  changed_.notify_all();
}

}  // namespace kvmesh::bus::detail

#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

namespace kvmesh {

/// Bytes that several holders may hold together, at most. Copies are the same budget. Safe from any thread.
class ByteBudget {
 public:
  /// Bytes that somebody holds; they are free again when it is destroyed. Moves only.
  class Claim {
   public:
    Claim(Claim&& other) noexcept : state_(std::move(other.state_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Claim& operator=(Claim&& other) noexcept {
      std::swap(state_, other.state_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Claim() {
      if (state_) state_->used -= bytes_;
    }

   private:
    friend class ByteBudget;
    struct State {
      std::size_t limit = 0;
      std::atomic<std::size_t> used{0};
    };
    Claim(std::shared_ptr<State> state, std::size_t bytes) : state_(std::move(state)), bytes_(bytes) {}

    std::shared_ptr<State> state_;
    std::size_t bytes_ = 0;
  };

  explicit ByteBudget(std::size_t limit = std::numeric_limits<std::size_t>::max())
      : state_(std::make_shared<Claim::State>()) {
    state_->limit = limit;
  }

  /// None where there is not as much left.
  std::optional<Claim> claim(std::size_t bytes) {
    std::size_t used = state_->used;
    do {
      if (bytes > state_->limit - used) return std::nullopt;
    } while (!state_->used.compare_exchange_weak(used, used + bytes));
    return Claim(state_, bytes);
  }

  std::size_t limit() const { return state_->limit; }
  std::size_t used() const { return state_->used; }

 private:
  std::shared_ptr<Claim::State> state_;
};

}  // namespace kvmesh

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace kvmesh::bus::detail {

/// Counts bytes that others hold: from take() until the last copy of what it gave is gone, on whatever thread that
/// happens. Safe from any thread; lives as long as anything that it gave.
class Outstanding : public std::enable_shared_from_this<Outstanding> {
 public:
  /// `wake` is called on the thread that lets go; it must neither block nor throw.
  explicit Outstanding(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// Counts `bytes` until the result is gone, and keeps `keeps` as long.
  std::shared_ptr<const void> take(std::size_t bytes, std::shared_ptr<const void> keeps = nullptr);
  std::size_t bytes() const;
  /// Asks to be woken, once, when no more than `bytes` are out. False where that is so already: nothing is called then.
  bool wake_at(std::size_t bytes);

 private:
  void let_go(std::size_t bytes);

  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::optional<std::size_t> wake_at_;
};

}  // namespace kvmesh::bus::detail

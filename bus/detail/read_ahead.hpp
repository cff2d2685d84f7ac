#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "bus/detail/shared_layout.hpp"

namespace kvmesh::bus::detail {

/// A message's frames in shared memory.
struct SharedRows {
  std::uint32_t receiver = 0;  ///< its number
  std::uint32_t ticket = 0;
  std::size_t bytes = 0;
};

/// Keeps a sender from sealing, that is reading, far more than its receivers have read: what both read soon after each
/// other comes from memory once, and two cores that read different memory slow each other down (docs/results.md,
/// "Transport"). Waits for speed only, so never long. One thread at a time.
class ReadAhead {
 public:
  /// Half of a usual last-level cache.
  static constexpr std::size_t kBytes = std::size_t{16} << 20;
  /// A receiver that returns nothing for so long keeps what it has for another reason, and is not waited for again
  /// until it has been sent as much once more. More than a receiver needs to copy all of it.
  static constexpr std::chrono::milliseconds kPatience{2};

  explicit ReadAhead(ArenaHeader& header, std::chrono::milliseconds patience = kPatience)
      : header_(header), patience_(patience) {}

  /// Called before `rows` are sealed and sent. Once kBytes are unread by their receiver, waits until half of that is.
  void before(const SharedRows& rows);

 private:
  struct Unread {
    std::deque<SharedRows> rows;  ///< in the order that they were sent in
    std::size_t bytes = 0;
  };
  void drop_what_was_read(Unread& unread);

  ArenaHeader& header_;
  const std::chrono::milliseconds patience_;
  std::array<Unread, kMostReceivers> unread_;
};

}  // namespace kvmesh::bus::detail

#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

/// What stands in a shared arena and in the trailer of a message that uses one; docs/wire.md describes both.
namespace kvmesh::bus::detail {

inline constexpr std::uint64_t kArenaMagic = 0x31414d48534d564b;  // "KVMSHMA1"
inline constexpr std::uint32_t kSlots = 32;
inline constexpr std::uint32_t kSlotBytes = std::uint32_t{1} << 20;
/// Receivers that one arena can serve: a bit each in a slot's holders.
inline constexpr std::uint32_t kMostReceivers = 32;
/// The slots begin here, behind the header, on pages of their own, whatever the page size.
inline constexpr std::size_t kHeaderBytes = 64 * 1024;
inline constexpr std::size_t kArenaBytes = kHeaderBytes + std::size_t{kSlots} * kSlotBytes;

/// Written by both sides; what follows the header only by the sender.
struct ArenaHeader {
  std::uint64_t magic = kArenaMagic;
  std::uint32_t slots = kSlots;
  std::uint32_t slot_bytes = kSlotBytes;
  std::uint32_t receivers = 0;                      ///< a bit for each
  std::atomic<std::uint32_t> mapped = 0;            ///< those that have mapped it; who completes them removes the name
  std::atomic<std::uint32_t> released = 0;          ///< counts returned slots; the sender sleeps on it
  std::atomic<std::uint32_t> holders[kSlots] = {};  ///< who still reads a slot, a bit each; 0: it is free
};
static_assert(sizeof(ArenaHeader) <= kHeaderBytes);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

/// The last frame of a message on a topic with shared memory: this, then `frames` SharedFrame, then the arena's name.
struct TrailerHead {
  std::uint32_t frames = 0;
  std::uint32_t receiver = 0;  ///< number of the receiver's bit
};
/// A frame whose bytes stand in a slot; on the socket it is empty.
struct SharedFrame {
  std::uint32_t frame = 0;  ///< its number behind the topic, the envelope's being 0
  std::uint32_t slot = 0;
  std::uint64_t bytes = 0;
};

inline void wake_sender(ArenaHeader& header) {
  header.released.fetch_add(1);
  ::syscall(SYS_futex, &header.released, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

/// Sleeps until `released` is no longer `seen`, or `wait` has passed.
inline void await_release(ArenaHeader& header, std::uint32_t seen, std::chrono::nanoseconds wait) {
  const timespec time{.tv_sec = static_cast<time_t>(wait.count() / 1'000'000'000),
                      .tv_nsec = static_cast<long>(wait.count() % 1'000'000'000)};
  ::syscall(SYS_futex, &header.released, FUTEX_WAIT, seen, &time, nullptr, 0);
}

}  // namespace kvmesh::bus::detail

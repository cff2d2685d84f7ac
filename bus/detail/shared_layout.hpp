#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>

/// What stands in a shared arena and in the trailer of a message that uses one; docs/wire.md describes both.
namespace kvmesh::bus::detail {

inline constexpr std::uint64_t kArenaMagic = 0x33414d48534d564b;  // "KVMSHMA3"
/// Receivers that one arena can serve.
inline constexpr std::uint32_t kMostReceivers = 32;
/// Messages that may be out at once, to all receivers together.
inline constexpr std::uint32_t kTickets = 4096;
/// The payload begins here, behind the header, on pages of its own, whatever the page size.
inline constexpr std::size_t kHeaderBytes = 64 * 1024;
/// The most payload that an arena grows to. Receivers map all of it at once and read only what the file has.
inline constexpr std::size_t kArenaBytes = std::size_t{1} << 30;

/// Written by both sides; what follows the header only by the sender.
struct ArenaHeader {
  std::uint64_t magic = kArenaMagic;
  std::uint64_t bytes = kArenaBytes;
  std::uint64_t id = 0;  ///< random: a process number may come again
  std::uint32_t tickets = kTickets;
  std::atomic<std::uint32_t> released = 0;            ///< counts returned tickets; the sender sleeps on it
  std::atomic<std::uint32_t> holders[kTickets] = {};  ///< who still reads a message's frames, plus 1; 0: nobody
};
static_assert(sizeof(ArenaHeader) <= kHeaderBytes);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

/// The last frame of a message on a topic with shared memory: this, then `frames` SharedFrame, then the arena's name:
/// PID "/" FD
/// "/" ID, decimal numbers: the descriptor FD of process PID, and what its header says for `id`.
struct TrailerHead {
  std::uint32_t frames = 0;
  std::uint32_t receiver = 0;  ///< its number
  std::uint32_t ticket = 0;    ///< whose holder it is until it has let go of every frame
};
/// A frame whose bytes stand in the arena; on the socket it is empty.
struct SharedFrame {
  std::uint64_t frame = 0;   ///< its number behind the topic, the envelope's being 0
  std::uint64_t offset = 0;  ///< behind the header
  std::uint64_t bytes = 0;
};

/// Both of its threads that may sleep: one that publishes and the one that sends.
inline void wake_sender(ArenaHeader& header) {
  header.released.fetch_add(1);
  ::syscall(SYS_futex, &header.released, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

/// Sleeps until `released` is no longer `seen`, or `wait` has passed.
inline void await_release(ArenaHeader& header, std::uint32_t seen, std::chrono::nanoseconds wait) {
  const timespec time{.tv_sec = static_cast<time_t>(wait.count() / 1'000'000'000),
                      .tv_nsec = static_cast<long>(wait.count() % 1'000'000'000)};
  ::syscall(SYS_futex, &header.released, FUTEX_WAIT, seen, &time, nullptr, 0);
}

}  // namespace kvmesh::bus::detail

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "bus/detail/read_ahead.hpp"
#include "bus/detail/shared_layout.hpp"
#include "bus/detail/shared_memory.hpp"
#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// A message whose frames have gone into shared memory, as far as they could.
struct SharedMessage {
  Message message;
  std::optional<SharedRows> rows;  ///< none: every frame is still in the message
};

/// The sender's end of shared memory: one arena for all of its receivers on this host. A frame that stands in it
/// already is only named; any other is copied into it, once, whoever it goes to. Each message takes a ticket, which its
/// receiver returns; until then its frames' owners are kept here. Safe from any thread, but
/// for before_sending().
///
/// Bounds: kCopyBytes of copies and kTickets messages. At either share() waits, and throws at its deadline. Memory that
/// is taken in advance is bounded by the arena.
class SharedArena {
 public:
  /// Copies may take this much; more would only leave the last-level cache.
  static constexpr std::size_t kCopyBytes = std::size_t{32} << 20;

  /// `topics`: one for each receiver. Reserves room for copies; throws Error{kGiveUp} where it cannot be had.
  explicit SharedArena(const std::vector<std::string>& topics);
  SharedArena(const SharedArena&) = delete;
  SharedArena& operator=(const SharedArena&) = delete;

  bool serves(const std::string& topic) const { return receivers_.contains(topic); }
  /// `message` with its frames in the arena, and its trailer. Throws Error{kRetry}, naming the topic, where nothing is
  /// returned in time.
  SharedMessage share(const std::string& topic, Message message, const Deadline& deadline);
  /// What share() gave is not sent after all: its ticket is free, and its frames are let go.
  void take_back(const SharedRows& rows);
  /// As ReadAhead: on the thread that seals and sends.
  void before_sending(const SharedRows& rows) { read_ahead_.before(rows); }
  /// Memory that leaves without a copy; null where there is none.
  std::shared_ptr<std::byte> take(std::size_t bytes);
  /// The receiver of `topic` is gone: what it held is free.
  void drop(const std::string& topic);

 private:
  struct Copy {
    std::weak_ptr<const void> owner;  ///< of the frame that was copied, to know it again for the next receiver
    const std::byte* data = nullptr;
    std::weak_ptr<const std::byte> place;
  };

  using Lock = std::unique_lock<std::mutex>;

  /// `frame` or its copy in the arena; empty where that has no room left.
  Frame in_arena(Lock& lock, const Frame& frame, const std::string& topic, const Deadline& deadline);
  /// Null where the arena is full; none while copies that are out take all that copies may.
  std::optional<std::shared_ptr<const std::byte>> room_for_copy(std::size_t bytes);
  std::uint32_t free_ticket(Lock& lock, const std::string& topic, const Deadline& deadline);
  /// Lets go of what was returned.
  void collect();
  /// Calls `attempt` until it gives something, each time that a ticket is returned. Not locked while it sleeps: take()
  /// and another topic's share() go on.
  template <typename Attempt>
  auto wait_for(Lock& lock, const char* what, const std::string& topic, const Deadline& deadline, Attempt attempt);

  std::map<std::string, std::uint32_t> receivers_;  ///< number of each topic's
  std::shared_ptr<SharedMemory> memory_;
  ReadAhead read_ahead_;
  std::mutex mutex_;
  std::map<std::uint32_t, std::vector<Frame>> out_;  ///< frames by ticket
  std::uint32_t next_ticket_ = 0;
  std::vector<Copy> copies_;
  std::shared_ptr<std::atomic<std::size_t>> copied_;  ///< bytes of copies that are out
};

/// A node's arena, from the moment that it shares memory. Safe from any thread.
class Sharing {
 public:
  /// Throws as SharedArena; share() then leaves every frame where it is.
  void begin(const std::vector<std::string>& topics);
  /// On a topic that shares memory: SharedArena::share(), or where that does not serve it `message` with a trailer
  /// that names no frame. On others `message` itself.
  SharedMessage share(const std::string& topic, Message message, const Deadline& deadline);
  /// As SharedArena's, both for rows that share() gave.
  void take_back(const SharedRows& rows);
  void before_sending(const SharedRows& rows);
  /// As SharedArena::take(); null without an arena.
  std::shared_ptr<std::byte> take(std::size_t bytes);
  void drop(const std::string& topic);

 private:
  std::shared_ptr<SharedArena> arena() const;

  mutable std::mutex mutex_;
  std::set<std::string> topics_;
  std::shared_ptr<SharedArena> arena_;
};

}  // namespace kvmesh::bus::detail

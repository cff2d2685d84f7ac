#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "bus/detail/shared_layout.hpp"
#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// The sender's end of shared memory: one arena for all of its receivers on this host, of kSlots slots, reserved whole
/// at construction so that a full /dev/shm is an error there and no signal later. A frame is copied into a slot once,
/// whoever it goes to, and the slot is free again when every receiver has let go of it. Safe from any thread.
///
/// Bound: where all slots are taken share() waits, and throws at its deadline.
class SharedArena {
 public:
  /// `topics`: one for each receiver. Throws Error{kGiveUp} that names the arena where it cannot be had.
  explicit SharedArena(const std::vector<std::string>& topics);
  ~SharedArena();
  SharedArena(const SharedArena&) = delete;
  SharedArena& operator=(const SharedArena&) = delete;

  bool serves(const std::string& topic) const { return receivers_.contains(topic); }
  /// `message` with the frames that fit moved into slots, and its trailer. Throws Error{kRetry}, naming the topic,
  /// where no slot is returned in time.
  Message share(const std::string& topic, Message message, const Deadline& deadline);
  /// The receiver of `topic` is gone: what it held is free.
  void drop(const std::string& topic);

  const std::string& name() const { return name_; }

 private:
  struct Slot {
    std::weak_ptr<const void> owner;  ///< of the frame that stands in it, to know it again for the next receiver
    const std::byte* data = nullptr;
    std::size_t bytes = 0;
  };

  std::uint32_t slot_with(const Frame& frame, const std::string& topic, std::uint32_t receiver,
                          const Deadline& deadline);

  std::map<std::string, std::uint32_t> receivers_;  ///< number of each topic's bit
  std::string name_;
  ArenaHeader* header_ = nullptr;
  std::byte* slots_ = nullptr;
  std::mutex mutex_;
  std::array<Slot, kSlots> contents_;
  std::uint32_t next_ = 0;
};

/// A node's arena, from the moment that it shares memory. Safe from any thread.
class Sharing {
 public:
  /// Throws as SharedArena; share() then leaves every frame where it is.
  void begin(const std::vector<std::string>& topics);
  /// On a topic that shares memory: SharedArena::share(), or where there is no room for it in the arena, `message` with
  /// a trailer that names no frame. On others `message` itself.
  Message share(const std::string& topic, Message message, const Deadline& deadline);
  void drop(const std::string& topic);

 private:
  std::shared_ptr<SharedArena> arena() const;

  mutable std::mutex mutex_;
  std::set<std::string> topics_;
  std::shared_ptr<SharedArena> arena_;
};

}  // namespace kvmesh::bus::detail

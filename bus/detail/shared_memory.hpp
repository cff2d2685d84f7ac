#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "bus/detail/shared_layout.hpp"
#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// The memory of an arena and who has which part of it: the sender's end. It grows as it is asked for more, each time
/// reserved by posix_fallocate, so that a full /dev/shm is an answer here and no signal later; it lives until its last
/// part is given back. Safe from any thread.
class SharedMemory : public std::enable_shared_from_this<SharedMemory> {
 public:
  /// Reserves `bytes` at once. Throws Error{kGiveUp} that names the arena where they cannot be had.
  static std::shared_ptr<SharedMemory> make(std::size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// A part of at least `bytes`, ours until the last copy of the pointer goes; null where there is no room.
  std::shared_ptr<std::byte> take(std::size_t bytes);
  /// Where `frame` stands, if it is one of ours.
  std::optional<std::size_t> offset_of(const Frame& frame) const;

  ArenaHeader& header() { return *header_; }
  const std::string& name() const { return name_; }
  /// No receiver that comes later finds it.
  void remove_name();

 private:
  SharedMemory();
  bool grow(std::size_t bytes);  ///< with errno where it fails
  void give_back(std::size_t offset, std::size_t bytes);
  void add_free(std::size_t offset, std::size_t bytes);

  const std::string name_;
  int file_ = -1;
  ArenaHeader* header_ = nullptr;
  std::byte* payload_ = nullptr;
  std::mutex mutex_;
  std::size_t reserved_ = 0;
  std::map<std::size_t, std::size_t> free_;  ///< sizes by offset; neighbours are joined
};

}  // namespace kvmesh::bus::detail

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
/// reserved by posix_fallocate, so that memory that is not to be had is an answer here and no signal later; it lives
/// until its last part is given back. Nothing of it outlives the processes that use it. Safe from any thread.
class SharedMemory : public std::enable_shared_from_this<SharedMemory> {
 public:
  /// Reserves `bytes` at once. Throws Error{kGiveUp} where they cannot be had.
  static std::shared_ptr<SharedMemory> make(std::size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// A part of at least `bytes`, ours until the last copy of the pointer goes; null where there is no room.
  std::shared_ptr<std::byte> take(std::size_t bytes);
  /// Where `frame` stands, if it is one of ours.
  std::optional<std::size_t> offset_of(const Frame& frame) const;

  ArenaHeader& header() { return *header_; }
  /// By which receivers find it: a descriptor of ours, which /proc shows to other processes of this user.
  const std::string& name() const { return name_; }

 private:
  SharedMemory();
  bool grow(std::size_t bytes);  ///< with errno where it fails
  void give_back(std::size_t offset, std::size_t bytes);
  void add_free(std::size_t offset, std::size_t bytes);

  const int file_;
  std::string name_;
  ArenaHeader* header_ = nullptr;
  std::byte* payload_ = nullptr;
  std::mutex mutex_;
  std::size_t reserved_ = 0;
  std::map<std::size_t, std::size_t> free_;  ///< sizes by offset; neighbours are joined
};

}  // namespace kvmesh::bus::detail

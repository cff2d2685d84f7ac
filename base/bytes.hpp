#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace kvmesh {

/// A run of bytes and whatever keeps it alive: a tensor's storage, a received ZeroMQ message, a string. Copying shares
/// the owner and never the bytes; the bytes are never written through it. Safe to hand between threads.
class OwnedBytes {
 public:
  OwnedBytes() = default;
  OwnedBytes(std::shared_ptr<const void> owner, std::span<const std::byte> bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  /// Bytes that live in a string of their own.
  static OwnedBytes from_string(std::string text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    auto bytes = std::as_bytes(std::span(owner->data(), owner->size()));
    return OwnedBytes(std::move(owner), bytes);
  }

  std::span<const std::byte> span() const { return bytes_; }
  const std::byte* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

  /// `count` of the bytes from number `first` on, with the same owner; both are in range.
  OwnedBytes part(std::size_t first, std::size_t count) const {
    return OwnedBytes(owner_, bytes_.subspan(first, count));
  }

  /// The bytes as text; valid as long as this object or a copy of it lives.
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> bytes_;
};

/// Memory for bytes that are written once and then sent: a place from which they leave without a copy. Null owner: the
/// place has no room left.
struct WritableBytes {
  std::shared_ptr<void> owner;
  std::byte* data = nullptr;
};
/// Gives room for `bytes` bytes; called from the thread that writes them.
using MakeRoom = std::function<WritableBytes(std::size_t bytes)>;

/// Bytes in all of them together.
inline std::size_t total_size(std::span<const OwnedBytes> runs) {
  std::size_t bytes = 0;
  for (const OwnedBytes& run : runs) bytes += run.size();
  return bytes;
}

}  // namespace kvmesh

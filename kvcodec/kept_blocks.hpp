#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::kvcodec {

/// What a receiver keeps of the rows that came to it, so that they need not come again: blocks of tokens, addressed by
/// their names, as they came: at their sender's positions, in the form in which they travelled. A message is kept as a
/// whole, so that its checksum still says whether it is sound; it goes as a whole.
///
/// Bound: `budget_bytes` of payload. The message that was needed longest ago goes first; one that a request was
/// promised stays as long as the promise, and where no room can be made nothing new is kept. A plain class: no socket,
/// no clock. One thread at a time.
class KeptBlocks {
 public:
  explicit KeptBlocks(std::size_t budget_bytes) : budget_(budget_bytes) {}

  class Promise;

  /// What is kept of an offer that came over inbound edge number `edge`, at each of `layers` layers. It stays as long
  /// as the promise does.
  Promise promise(std::size_t edge, wire::Offer offer, int layers);

  /// Keeps the blocks that a message of the offered request holds, and have not been kept yet. Frames that are
  /// `borrowed` (from a shared arena) or so small that ZeroMQ may keep more than them alive are copied, others shared.
  void keep(const Promise& promise, const wire::WireMessage& message, bool borrowed);

  /// The rows that a message of encoding `kept` stands for, in order, as messages of their own; their checksums have
  /// been computed again. None where one of them is not here, or is damaged and has been dropped.
  std::optional<std::vector<wire::WireMessage>> take(const Promise& promise, const wire::Envelope& envelope);

  /// Bytes of payload that are kept.
  std::size_t bytes() const { return bytes_; }

 private:
  /// A block at a layer of an edge.
  struct Key {
    std::size_t edge = 0;
    std::int32_t layer = 0;
    wire::BlockId block;
    auto operator<=>(const Key&) const = default;
  };
  struct Piece {
    wire::WireMessage message;
    std::size_t bytes = 0;
    std::vector<Key> keys;
    int promised = 0;  ///< so many times
  };
  using Pieces = std::list<std::shared_ptr<Piece>>;  ///< the one needed longest ago first
  struct Place {
    Pieces::iterator piece;
    std::int64_t first = 0, count = 0;  ///< rows of it
  };

  bool make_room(std::size_t bytes);
  void drop(Pieces::iterator piece);

  const std::size_t budget_;
  std::size_t bytes_ = 0;
  Pieces pieces_;
  std::map<Key, Place> places_;
};

/// An offer that was answered. Moves only; of the thread that the KeptBlocks is of.
class KeptBlocks::Promise {
 public:
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&&) = delete;
  ~Promise();

  /// Of each layer, how many of the offered blocks are here, from the first on.
  const std::vector<std::int64_t>& held() const { return held_; }

 private:
  friend class KeptBlocks;
  Promise(std::size_t edge, std::vector<wire::BlockId> blocks) : edge_(edge), blocks_(std::move(blocks)) {}

  std::size_t edge_;
  std::vector<wire::BlockId> blocks_;
  std::vector<std::int64_t> held_;
  std::vector<std::shared_ptr<Piece>> pieces_;
};

}  // namespace kvmesh::kvcodec

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::kvcodec {

/// What a receiver keeps of the rows that came to it, so that they need not come again: blocks of tokens, addressed by
/// their names, as they came: at their sender's positions, in the form in which they travelled. A message is kept as a
/// whole, so that its checksum still says whether it is sound; it goes as a whole.
///
/// Bound: `budget_bytes` of payload. The message that was needed longest ago goes first; one that a request was
/// promised stays until that is over, and where no room can be made nothing new is kept. A plain class: no socket, no
/// clock. One thread at a time.
class KeptBlocks {
 public:
  explicit KeptBlocks(std::size_t budget_bytes) : budget_(budget_bytes) {}

  /// What is kept of an offer that came over inbound edge number `edge`, for each of `layers` layers; promised to the
  /// request until release(). Of more than kMostOffers open ones the oldest is released.
  wire::Held offered(std::size_t edge, const wire::Offer& offer, int layers);

  /// Keeps the blocks that a message of an offered request holds, and have not been kept yet. Frames that are
  /// `borrowed` (from a shared arena) or so small that ZeroMQ may keep more than them alive are copied, others shared.
  void keep(std::size_t edge, const wire::WireMessage& message, bool borrowed);

  /// The rows that a message of encoding `kept` stands for, in order, as messages of their own; their checksums have
  /// been computed again. None where one of them is not here, or is damaged and has been dropped.
  std::optional<std::vector<wire::WireMessage>> take(std::size_t edge, const wire::Envelope& envelope);

  /// The request is over.
  void release(const std::string& request);

  /// Bytes of payload that are kept.
  std::size_t bytes() const { return bytes_; }

  static constexpr std::size_t kMostOffers = 256;

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
    int promised = 0;  ///< to so many requests
  };
  using Pieces = std::list<Piece>;  ///< the one needed longest ago first
  struct Place {
    Pieces::iterator piece;
    std::int64_t first = 0, count = 0;  ///< rows of it
  };
  struct Open {
    std::size_t edge = 0;
    wire::Offer offer;
    std::vector<Pieces::iterator> promised;
  };

  const Open* open_offer(std::size_t edge, const std::string& request) const;
  bool make_room(std::size_t bytes);
  void drop(Pieces::iterator piece);

  const std::size_t budget_;
  std::size_t bytes_ = 0;
  Pieces pieces_;
  std::map<Key, Place> places_;
  std::deque<Open> open_;
};

}  // namespace kvmesh::kvcodec

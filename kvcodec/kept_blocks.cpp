#include "kvcodec/kept_blocks.hpp"

#include <algorithm>
#include <iterator>

namespace kvmesh::kvcodec {
namespace {

/// ZeroMQ receives shorter frames several to a buffer, which lives as long as any of them.
constexpr std::size_t kOwnBufferBytes = 64 * 1024;

wire::WireMessage kept_copy(const wire::WireMessage& message, bool borrowed) {
  wire::WireMessage copy = message;
  for (OwnedBytes& frame : copy.payload)
    if (borrowed || frame.size() < kOwnBufferBytes) frame = OwnedBytes::from_string(std::string(frame.text()));
  return copy;
}

}  // namespace

KeptBlocks::Promise::~Promise() {
  for (const std::shared_ptr<Piece>& piece : pieces_) --piece->promised;
}

KeptBlocks::Promise KeptBlocks::promise(std::size_t edge, wire::Offer offer, int layers) {
  Promise promise(edge, std::move(offer.blocks));
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    std::int64_t& count = promise.held_.emplace_back(0);
    const Piece* last = nullptr;
    for (const wire::BlockId& block : promise.blocks_) {
      const auto place = places_.find({edge, layer, block});
      if (place == places_.end()) break;
      ++count;
      const auto piece = place->second.piece;
      if (piece->get() == last) continue;
      last = piece->get();
      ++(*piece)->promised;
      promise.pieces_.push_back(*piece);
      pieces_.splice(pieces_.end(), pieces_, piece);
    }
  }
  return promise;
}

void KeptBlocks::keep(const Promise& promise, const wire::WireMessage& message, bool borrowed) {
  if (message.envelope.encoding == wire::Encoding::kKept) return;
  const wire::BlockRange range = wire::blocks_in(message.envelope);
  // Another's cut may put a block's rows amid groups of quantised ones.
  if (range.skip != 0 && message.envelope.encoding != wire::Encoding::kPlain) return;
  const auto offered = static_cast<std::int64_t>(promise.blocks_.size());
  std::map<Key, Place> fresh;
  std::int64_t row = range.skip;
  for (std::int64_t block = range.first; block < std::min(range.first + range.count, offered); ++block) {
    // Where the sink travels apart the first block has a row less.
    const std::int64_t end = (block + 1) * wire::kBlockTokens - message.envelope.positions.front().first;
    const Key key{promise.edge_, message.envelope.layer, promise.blocks_[static_cast<std::size_t>(block)]};
    if (!places_.contains(key)) fresh[key] = {.piece = {}, .first = row, .count = end - row};
    row = end;
  }
  const std::size_t bytes = total_size(message.payload);
  if (fresh.empty() || !make_room(bytes)) return;
  const auto piece =
      pieces_.insert(pieces_.end(),
                     std::make_shared<Piece>(
                         Piece{.message = kept_copy(message, borrowed), .bytes = bytes, .keys = {}, .promised = 0}));
  bytes_ += bytes;
  for (auto& [key, place] : fresh) {
    place.piece = piece;
    (*piece)->keys.push_back(key);
    places_.emplace(key, place);
  }
}

std::optional<std::vector<wire::WireMessage>> KeptBlocks::take(const Promise& promise, const wire::Envelope& envelope) {
  const wire::BlockRange range = wire::blocks_in(envelope);
  if (range.first + range.count > static_cast<std::int64_t>(promise.blocks_.size())) return std::nullopt;
  std::vector<wire::WireMessage> rows;
  std::int64_t next = envelope.positions.empty() ? 0 : envelope.positions.front().first;
  const std::int64_t end = envelope.positions.empty() ? 0 : next + envelope.positions.front().count;
  for (std::int64_t block = range.first; block < range.first + range.count;) {
    const auto name = [&](std::int64_t b) {
      return Key{promise.edge_, envelope.layer, promise.blocks_[static_cast<std::size_t>(b)]};
    };
    const auto place = places_.find(name(block));
    if (place == places_.end()) return std::nullopt;
    const auto piece = place->second.piece;
    const wire::WireMessage& message = (*piece)->message;
    if (wire::payload_checksum(message.payload) != message.envelope.checksum) {
      drop(piece);
      return std::nullopt;
    }
    // As many of the following blocks as stand in the same message.
    std::int64_t count = place->second.count;
    for (++block; block < range.first + range.count; ++block) {
      const auto following = places_.find(name(block));
      if (following == places_.end() || following->second.piece != piece) break;
      count += following->second.count;
    }
    rows.push_back(wire::slice_rows(message, place->second.first, count));
    if (rows.back().envelope.positions.front().first != next) return std::nullopt;
    next += count;
  }
  if (next != end || rows.empty()) return std::nullopt;
  return rows;
}

bool KeptBlocks::make_room(std::size_t bytes) {
  for (auto piece = pieces_.begin(); bytes_ + bytes > budget_ && piece != pieces_.end();) {
    const auto next = std::next(piece);
    if ((*piece)->promised == 0) drop(piece);
    piece = next;
  }
  return bytes_ + bytes <= budget_;
}

/// A promised piece that is damaged goes too: nobody may be given it.
void KeptBlocks::drop(Pieces::iterator piece) {
  for (const Key& key : (*piece)->keys) places_.erase(key);
  bytes_ -= (*piece)->bytes;
  pieces_.erase(piece);
}

}  // namespace kvmesh::kvcodec

#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "kvcodec/wire/envelope.hpp"

/// How a sender learns what its receiver has kept of earlier requests, so that only the rest travels (docs/wire.md,
/// "Only what is new"). Values, their encoding, and what can be said of blocks without a tensor. Safe from any thread.
namespace kvmesh::wire {

/// Tokens in a block; whole groups of quantised keys.
inline constexpr std::int64_t kBlockTokens = 64;
/// An offer of more is refused: four million tokens.
inline constexpr std::size_t kMaxBlocks = 65'536;

/// Names a block of tokens and all tokens before it: XXH3-128 of the name before its own, high half first, and its
/// tokens.
struct BlockId {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const BlockId&) const = default;
};

/// Names of the whole blocks that `tokens` begin with. `seed` says what else their keys and values depend on: the
/// weights, the dtype that they are computed in.
std::vector<BlockId> name_blocks(std::span<const std::int64_t> tokens, std::string_view seed);

/// "In this request I share a prompt that begins with these blocks." Travels before the request's first message.
struct Offer {
  std::string request;
  std::vector<BlockId> blocks;
  bool operator==(const Offer&) const = default;
};

/// The answer: of each receiver layer how many of the offered blocks, from the first on, need not be sent. They stay
/// until the request is over.
struct Held {
  std::string request;
  std::vector<std::int64_t> blocks;
  bool operator==(const Held&) const = default;
};

/// "Send that message again, with its rows": they were damaged, or are not among the kept blocks any more.
struct Again {
  std::string request;
  std::uint32_t sequence = 0;
  bool operator==(const Again&) const = default;
};

/// "Every message of the request has come and is whole": nothing of it will be asked for again.
struct Done {
  std::string request;
  bool operator==(const Done&) const = default;
};

/// What a receiver sends back.
using Back = std::variant<Held, Again, Done>;

/// The frames behind the topic. The rest throws Error{kReconnect}, naming the field, for what is no such message.
std::vector<OwnedBytes> encode_offer(const Offer& offer);
Offer decode_offer(std::span<const OwnedBytes> frames);
OwnedBytes encode_back(const Back& back);
Back decode_back(const OwnedBytes& bytes);

/// Of the rows in a kv message, those that are whole blocks of its sender's own prompt: blocks [first, first + count),
/// whose first row is row `skip` of the message. A block's rows are those of its tokens, without the attention sink
/// where that travels apart. None where the message holds others' tokens.
struct BlockRange {
  std::int64_t first = 0, count = 0;
  std::int64_t skip = 0;
  bool operator==(const BlockRange&) const = default;
};
BlockRange blocks_in(const Envelope& envelope);

/// Rows [first, first + count) of a kv message as a message of its own, in the same memory; they begin at a group where
/// the rows are quantised. Its checksum is not that of its payload.
WireMessage slice_rows(const WireMessage& message, std::int64_t first, std::int64_t count);

}  // namespace kvmesh::wire

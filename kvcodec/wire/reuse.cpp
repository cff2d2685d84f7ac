#include "kvcodec/wire/reuse.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>

#include "kvcodec/wire/detail/sealed_map.hpp"
#include "kvcodec/wire/limits.hpp"

namespace kvmesh::wire {
namespace {

using detail::MsgpackFields;
using detail::MsgpackValue;
using detail::Packer;
using detail::write_array;
using detail::write_entry;
using detail::write_map;
using detail::write_value;

constexpr std::size_t kIdBytes = 16;
/// Of layers in an answer: far more than any model has.
constexpr std::size_t kMaxLayers = 4'096;

void put(std::string& bytes, std::uint64_t number) {
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xff);
}

std::uint64_t get(const std::byte* bytes) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  return number;
}

std::string bytes_of(const BlockId& id) {
  std::string bytes;
  put(bytes, id.high);
  put(bytes, id.low);
  return bytes;
}

BlockId hash_of(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

// Keys in ascending order; the seal, which all have, follows.
void write(Packer& out, const Offer& offer, std::uint64_t names_checksum) {
  write_map(out, 4);
  write_entry(out, "checksum", names_checksum);
  write_entry(out, "request", offer.request);
  write_entry(out, "version", kProtocolVersion);
}

void write(Packer& out, const Held& held) {
  write_map(out, 5);
  write_value(out, "blocks");
  write_array(out, held.blocks.size());
  for (const std::int64_t count : held.blocks) write_value(out, count);
  write_entry(out, "request", held.request);
  write_entry(out, "type", "held");
  write_entry(out, "version", kProtocolVersion);
}

void write(Packer& out, const Again& again) {
  write_map(out, 5);
  write_entry(out, "request", again.request);
  write_entry(out, "sequence", again.sequence);
  write_entry(out, "type", "again");
  write_entry(out, "version", kProtocolVersion);
}

void write(Packer& out, const Done& done) {
  write_map(out, 4);
  write_entry(out, "request", done.request);
  write_entry(out, "type", "done");
  write_entry(out, "version", kProtocolVersion);
}

OwnedBytes to_msgpack(const auto&... what) {
  std::string bytes;
  detail::StringBuffer end{bytes};
  Packer out(end);
  write(out, what...);
  detail::write_seal(out);
  detail::seal_map(bytes);
  return OwnedBytes::from_string(std::move(bytes));
}

}  // namespace

std::vector<BlockId> name_blocks(std::span<const std::int64_t> tokens, std::string_view seed) {
  std::vector<BlockId> names;
  BlockId before = hash_of(seed);
  for (std::size_t begin = 0; begin + kBlockTokens <= tokens.size() && names.size() < kMaxBlocks;
       begin += kBlockTokens) {
    std::string bytes = bytes_of(before);
    for (const std::int64_t token : tokens.subspan(begin, kBlockTokens)) put(bytes, static_cast<std::uint64_t>(token));
    names.push_back(before = hash_of(bytes));
  }
  return names;
}

std::vector<OwnedBytes> encode_offer(const Offer& offer) {
  std::string ids;
  for (const BlockId& id : offer.blocks) ids += bytes_of(id);
  const OwnedBytes names = OwnedBytes::from_string(std::move(ids));
  return {to_msgpack(offer, payload_checksum({&names, 1})), names};
}

Offer decode_offer(std::span<const OwnedBytes> frames) {
  if (frames.size() != 2) throw Error(ErrorKind::kReconnect, cat("offer: ", frames.size(), " frames, not 2"));
  const std::vector<MsgpackValue> values = detail::read_sealed_map(frames[0], "offer");
  const MsgpackFields fields(values.front(), "offer");
  const OwnedBytes& ids = frames[1];
  if (const auto says = fields.integer<std::uint64_t>("checksum"); payload_checksum({&ids, 1}) != says)
    fields.refuse(cat("the names' checksum is not ", says, ", which it says: they were damaged on their way"));
  Offer offer{.request = fields.string("request"), .blocks = {}};
  if (ids.size() % kIdBytes != 0 || ids.size() / kIdBytes > kMaxBlocks)
    fields.refuse(cat(ids.size(), " bytes are not the names of up to ", kMaxBlocks, " blocks"));
  for (std::size_t at = 0; at < ids.size(); at += kIdBytes)
    offer.blocks.push_back({get(ids.data() + at), get(ids.data() + at + 8)});
  return offer;
}

OwnedBytes encode_back(const Back& back) {
  return std::visit([](const auto& message) { return to_msgpack(message); }, back);
}

Back decode_back(const OwnedBytes& bytes) {
  const std::vector<MsgpackValue> values = detail::read_sealed_map(bytes, "what came back");
  const MsgpackFields fields(values.front(), "what came back");
  const std::string type = fields.string("type"), request = fields.string("request");
  if (type == "again") return Again{request, fields.integer<std::uint32_t>("sequence")};
  if (type == "done") return Done{request};
  if (type != "held") fields.refuse(cat("unknown type \"", type, "\""));
  Held held{request, {}};
  for (const MsgpackValue& count : fields.array("blocks", kMaxLayers))
    held.blocks.push_back(fields.to_integer<std::int64_t>("blocks", count, 0));
  return held;
}

BlockRange blocks_in(const Envelope& envelope) {
  if (envelope.kind != Medium::kKv || envelope.context_start != 0 || envelope.positions.size() != 1) return {};
  const PositionRange& rows = envelope.positions.front();
  const std::int64_t first = rows.first == 1 ? 0 : (rows.first + kBlockTokens - 1) / kBlockTokens;
  const std::int64_t end = (rows.first + rows.count) / kBlockTokens;
  if (end <= first) return {};
  return {.first = first, .count = end - first, .skip = std::max<std::int64_t>(0, first * kBlockTokens - rows.first)};
}

WireMessage slice_rows(const WireMessage& message, std::int64_t first, std::int64_t count) {
  WireMessage slice{.envelope = message.envelope, .payload = {}, .wire_bytes = 0};
  std::int64_t rows = 0;
  for (const PositionRange& range : message.envelope.positions) rows += range.count;
  for (std::size_t i = 0; i < message.payload.size(); ++i) {
    TensorFrame& frame = slice.envelope.tensors[i];
    const std::int64_t extent = frame.shape.empty() ? 0 : frame.shape.front();
    // One for each row, or for each group of kBlockTokens rows.
    const std::int64_t per = extent == rows ? 1 : kBlockTokens;
    if (extent == 0 || extent != (rows + per - 1) / per)
      throw Error(ErrorKind::kReconnect, cat("tensor \"", frame.name, "\" is not cut by rows"));
    const std::int64_t begin = first / per, taken = (first + count + per - 1) / per - begin;
    const std::size_t bytes = message.payload[i].size() / static_cast<std::size_t>(extent);
    frame.shape.front() = taken;
    slice.payload.push_back(
        message.payload[i].part(static_cast<std::size_t>(begin) * bytes, static_cast<std::size_t>(taken) * bytes));
  }
  std::vector<PositionRange>& positions = slice.envelope.positions;
  positions.clear();
  std::int64_t at = 0;
  for (const PositionRange& range : message.envelope.positions) {
    const std::int64_t from = std::max(first, at), to = std::min(first + count, at + range.count);
    if (from < to) positions.push_back({.first = range.first + from - at, .count = to - from});
    at += range.count;
  }
  return slice;
}

}  // namespace kvmesh::wire

#include "kvcodec/wire/envelope.hpp"

#include <array>

#include "kvcodec/wire/detail/envelope_place.hpp"
#include "kvcodec/wire/detail/sealed_map.hpp"

namespace kvmesh::wire {
namespace {

using detail::MsgpackFields;
using detail::MsgpackValue;
using detail::Packer;
using detail::write_array;
using detail::write_entry;
using detail::write_map;
using detail::write_value;

Medium read_kind(const MsgpackFields& fields) {
  const std::string name = fields.string("kind");
  const std::optional<Medium> medium = find_medium(name);
  if (!medium) fields.refuse(cat("unknown kind \"", name, "\": this build reads kv, text, embedding and activation"));
  return *medium;
}

std::vector<TensorFrame> read_tensors(const MsgpackFields& fields) {
  const MsgpackValue& elements = fields.array("tensors", kMaxTensors);
  std::vector<TensorFrame> tensors;
  tensors.reserve(elements.size());
  for (const MsgpackValue& element : elements) {
    const MsgpackFields tensor(element, "envelope: tensor ", static_cast<int>(tensors.size()));
    TensorFrame frame;
    frame.name = tensor.string("name");
    frame.dtype = dtype_from_string(tensor.string("dtype"));
    const MsgpackValue& shape = tensor.array("shape", kMaxTensorRank);
    frame.shape.reserve(shape.size());
    for (const MsgpackValue& extent : shape) {
      frame.shape.push_back(tensor.to_integer<std::int64_t>("shape", extent));
    }
    frame.byte_size();  // throws on what no tensor can be
    tensors.push_back(std::move(frame));
  }
  return tensors;
}

std::vector<PositionRange> read_positions(const MsgpackFields& fields) {
  const MsgpackValue& elements = fields.array("positions", kMaxPositionRanges);
  std::vector<PositionRange> ranges;
  ranges.reserve(elements.size());
  for (const MsgpackValue& element : elements) {
    if (!element.is_array() || element.size() != 2) {
      fields.refuse(cat("field \"positions\": range ", ranges.size(), " is not a pair of first and count"));
    }
    auto number = element.begin();
    PositionRange range;
    range.first = fields.to_integer<std::int64_t>("positions", *number, 0);
    range.count = fields.to_integer<std::int64_t>("positions", *++number, 0);
    // Keeps every later sum of firsts and counts far from overflow.
    if (range.first > kMaxTensorElements || range.count > kMaxTensorElements) {
      fields.refuse(
          cat("field \"positions\": range ", ranges.size(), " goes beyond the limit of ", kMaxTensorElements));
    }
    ranges.push_back(range);
  }
  return ranges;
}

void read_numbering(const MsgpackFields& fields, Envelope& envelope) {
  envelope.sequence = fields.integer<std::uint32_t>("sequence");
  envelope.count = fields.integer<std::uint32_t>("count", 1);
  if (envelope.count > kMaxMessagesPerRequest) {
    fields.refuse(cat("count ", envelope.count, " is above the limit of ", kMaxMessagesPerRequest));
  }
  if (envelope.sequence >= envelope.count) {
    fields.refuse(cat("sequence ", envelope.sequence, " is not below count ", envelope.count));
  }
}

/// What a reader must know of an envelope whose rows have some heads only.
constexpr const char* kNeedsHeads = "heads";

std::vector<std::int32_t> read_heads(const MsgpackFields& fields) {
  std::vector<std::int32_t> heads;
  for (const MsgpackValue& element : fields.array("heads", kMaxHeads)) {
    const auto head = fields.to_integer<std::int32_t>("heads", element, 0);
    if (!heads.empty() && head <= heads.back()) fields.refuse("field \"heads\" is not in rising order");
    heads.push_back(head);
  }
  if (heads.empty()) fields.refuse("field \"heads\" is there and names no head");
  return heads;
}

constexpr std::array kEncodings{Encoding::kPlain, Encoding::kInt8, Encoding::kInt4, Encoding::kKept};

Encoding read_encoding(const MsgpackFields& fields) {
  const std::string name = fields.string("encoding");
  for (const Encoding encoding : kEncodings) {
    if (to_string(encoding) == name) return encoding;
  }
  fields.refuse(cat("unknown encoding \"", name, "\": this build reads plain, int8, int4 and kept"));
}

void read_kv_fields(const MsgpackFields& fields, Envelope& envelope) {
  envelope.context_end = fields.integer<std::int64_t>("context_end", 0);
  envelope.context_start = fields.integer<std::int64_t>("context_start", 0);
  envelope.encoding = read_encoding(fields);
  if (fields.has("heads")) envelope.heads = read_heads(fields);
  envelope.layer = fields.integer<std::int32_t>("layer", 0);
  envelope.layers_complete = fields.integer<std::int32_t>("layers_complete", 0);
  envelope.positions = read_positions(fields);
  if (envelope.context_end < envelope.context_start || envelope.context_end > kMaxTensorElements) {
    fields.refuse(cat("the context cannot go from ", envelope.context_start, " to ", envelope.context_end));
  }
}

void write_tensors(Packer& out, const std::vector<TensorFrame>& tensors) {
  write_value(out, "tensors");
  write_array(out, tensors.size());
  for (const TensorFrame& tensor : tensors) {
    write_map(out, 3);
    write_entry(out, "dtype", to_string(tensor.dtype));
    write_entry(out, "name", tensor.name);
    write_value(out, "shape");
    write_array(out, tensor.shape.size());
    for (const std::int64_t extent : tensor.shape) write_value(out, extent);
  }
}

void write_heads(Packer& out, const std::vector<std::int32_t>& heads) {
  write_value(out, "heads");
  write_array(out, heads.size());
  for (const std::int32_t head : heads) write_value(out, head);
}

void write_positions(Packer& out, const std::vector<PositionRange>& positions) {
  write_value(out, "positions");
  write_array(out, positions.size());
  for (const PositionRange& range : positions) {
    write_array(out, 2);
    write_value(out, range.first);
    write_value(out, range.count);
  }
}

/// Keys in ascending order: an envelope is the same bytes each time, its payload's checksum where checksum_place() says
/// and its own at the end.
std::string to_msgpack(const Envelope& envelope) {
  const bool kv = envelope.kind == Medium::kKv;
  std::string bytes;
  bytes.reserve(512);  // more than most take
  detail::StringBuffer end{bytes};
  Packer out(end);
  const bool heads = kv && !envelope.heads.empty();
  write_map(out, detail::key_count(envelope.kind) + (heads ? detail::kHeadsKeys : 0));
  write_value(out, "checksum");
  out.pack_fix_uint64(envelope.checksum);
  if (kv) write_entry(out, "context_end", envelope.context_end);
  if (kv) write_entry(out, "context_start", envelope.context_start);
  write_entry(out, "count", envelope.count);
  if (kv) write_entry(out, "encoding", to_string(envelope.encoding));
  write_entry(out, "from", envelope.from);
  if (heads) write_heads(out, envelope.heads);
  write_entry(out, "kind", to_string(envelope.kind));
  if (kv) write_entry(out, "layer", envelope.layer);
  if (kv) write_entry(out, "layers_complete", envelope.layers_complete);
  write_entry(out, "manifest", envelope.manifest);
  write_entry(out, "mesh", envelope.mesh);
  if (heads) {
    write_value(out, "needs");
    write_array(out, 1);
    write_value(out, kNeedsHeads);
  }
  if (kv) write_positions(out, envelope.positions);
  write_entry(out, "request", envelope.request);
  write_entry(out, "sequence", envelope.sequence);
  write_tensors(out, envelope.tensors);
  write_entry(out, "to", envelope.to);
  write_entry(out, "version", kProtocolVersion);
  detail::write_seal(out);
  detail::seal_map(bytes);
  return bytes;
}

}  // namespace

std::string to_string(Encoding encoding) {
  switch (encoding) {
    case Encoding::kPlain: return "plain";
    case Encoding::kInt8: return "int8";
    case Encoding::kInt4: return "int4";
    case Encoding::kKept: return "kept";
  }
  throw Error(ErrorKind::kGiveUp, cat("an encoding with the number ", static_cast<int>(encoding), " has no name"));
}

OwnedBytes encode_envelope(const Envelope& envelope) {
  std::string bytes = to_msgpack(envelope);
  if (bytes.size() > kMaxEnvelopeBytes) {
    throw Error(ErrorKind::kGiveUp,
                cat("the envelope of a message from \"", envelope.from, "\" to \"", envelope.to, "\" takes ",
                    bytes.size(), " bytes, more than the limit of ", kMaxEnvelopeBytes));
  }
  return OwnedBytes::from_string(std::move(bytes));
}

Envelope decode_envelope(const OwnedBytes& bytes) {
  const std::vector<MsgpackValue> values = detail::read_sealed_map(bytes, "envelope", {kNeedsHeads});
  const MsgpackFields fields(values.front(), "envelope");
  Envelope envelope;
  envelope.kind = read_kind(fields);
  // In the order in which this build writes them, so that each is found at once.
  envelope.checksum = fields.integer<std::uint64_t>("checksum");
  if (envelope.kind == Medium::kKv) read_kv_fields(fields, envelope);
  read_numbering(fields, envelope);
  envelope.from = fields.string("from");
  envelope.manifest = fields.string("manifest");
  envelope.mesh = fields.string("mesh");
  envelope.request = fields.string("request");
  envelope.tensors = read_tensors(fields);
  envelope.to = fields.string("to");
  return envelope;
}

}  // namespace kvmesh::wire

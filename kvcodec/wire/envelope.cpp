#include "kvcodec/wire/envelope.hpp"

#include <array>

#include "kvcodec/wire/detail/envelope_place.hpp"
#include "kvcodec/wire/detail/msgpack_reader.hpp"
#include "kvcodec/wire/detail/msgpack_writer.hpp"

namespace kvmesh::wire {
namespace {

using detail::MsgpackFields;
using detail::MsgpackValue;
using detail::MsgpackWriter;

int read_version(const MsgpackFields& fields) {
  const auto version = fields.integer<std::int64_t>("version");
  if (version != kProtocolVersion) {
    fields.refuse(cat("protocol version ", version, ", but this build speaks version ", kProtocolVersion,
                      ": run the same kvmesh at both ends"));
  }
  return static_cast<int>(version);
}

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

constexpr std::array kEncodings{Encoding::kPlain, Encoding::kInt8, Encoding::kInt4, Encoding::kKept};

Encoding read_encoding(const MsgpackFields& fields) {
  const std::string name = fields.string("encoding");
  for (const Encoding encoding : kEncodings) {
    if (to_string(encoding) == name) return encoding;
  }
  fields.refuse(cat("unknown encoding \"", name, "\": this build reads plain, int8, int4 and kept"));
}

void read_kv_fields(const MsgpackFields& fields, Envelope& envelope) {
  envelope.layer = fields.integer<std::int32_t>("layer", 0);
  envelope.positions = read_positions(fields);
  envelope.context_start = fields.integer<std::int64_t>("context_start", 0);
  envelope.context_end = fields.integer<std::int64_t>("context_end", 0);
  envelope.encoding = read_encoding(fields);
  envelope.layers_complete = fields.integer<std::int32_t>("layers_complete", 0);
  if (envelope.context_end < envelope.context_start || envelope.context_end > kMaxTensorElements) {
    fields.refuse(cat("the context cannot go from ", envelope.context_start, " to ", envelope.context_end));
  }
}

void write_tensors(MsgpackWriter& out, const std::vector<TensorFrame>& tensors) {
  out.write("tensors");
  out.array(tensors.size());
  for (const TensorFrame& tensor : tensors) {
    out.map(3);
    out.entry("dtype", to_string(tensor.dtype));
    out.entry("name", tensor.name);
    out.write("shape");
    out.array(tensor.shape.size());
    for (const std::int64_t extent : tensor.shape) out.write(extent);
  }
}

void write_positions(MsgpackWriter& out, const std::vector<PositionRange>& positions) {
  out.write("positions");
  out.array(positions.size());
  for (const PositionRange& range : positions) {
    out.array(2);
    out.write(range.first);
    out.write(range.count);
  }
}

/// Keys in ascending order: an envelope is the same bytes each time, and its checksum where checksum_place() says.
std::string to_msgpack(const Envelope& envelope) {
  const bool kv = envelope.kind == Medium::kKv;
  std::string bytes;
  bytes.reserve(512);  // more than most take
  MsgpackWriter out(bytes);
  out.map(detail::key_count(envelope.kind));
  out.write("checksum");
  out.write_uint64(envelope.checksum);
  if (kv) out.entry("context_end", envelope.context_end);
  if (kv) out.entry("context_start", envelope.context_start);
  out.entry("count", envelope.count);
  if (kv) out.entry("encoding", to_string(envelope.encoding));
  out.entry("from", envelope.from);
  out.entry("kind", to_string(envelope.kind));
  if (kv) out.entry("layer", envelope.layer);
  if (kv) out.entry("layers_complete", envelope.layers_complete);
  out.entry("manifest", envelope.manifest);
  out.entry("mesh", envelope.mesh);
  if (kv) write_positions(out, envelope.positions);
  out.entry("request", envelope.request);
  out.entry("sequence", envelope.sequence);
  write_tensors(out, envelope.tensors);
  out.entry("to", envelope.to);
  out.entry("version", envelope.version);
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
  const std::vector<MsgpackValue> values = detail::read_msgpack(bytes, "envelope");
  const MsgpackFields fields(values.front(), "envelope");
  Envelope envelope;
  envelope.version = read_version(fields);  // first: another version may have other fields
  envelope.kind = read_kind(fields);
  envelope.mesh = fields.string("mesh");
  envelope.from = fields.string("from");
  envelope.to = fields.string("to");
  envelope.request = fields.string("request");
  read_numbering(fields, envelope);
  envelope.manifest = fields.string("manifest");
  envelope.checksum = fields.integer<std::uint64_t>("checksum");
  envelope.tensors = read_tensors(fields);
  if (envelope.kind == Medium::kKv) read_kv_fields(fields, envelope);
  return envelope;
}

}  // namespace kvmesh::wire

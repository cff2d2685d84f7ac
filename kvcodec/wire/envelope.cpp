#include "kvcodec/wire/envelope.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "kvcodec/wire/detail/fields.hpp"
#include "kvcodec/wire/detail/msgpack.hpp"

namespace kvmesh::wire {
namespace {

using detail::Fields;
using nlohmann::json;

int read_version(const Fields& fields) {
  const auto version = fields.integer<std::int64_t>("version");
  if (version != kProtocolVersion) {
    fields.refuse(cat("protocol version ", version, ", but this build speaks version ", kProtocolVersion,
                      ": run the same kvmesh at both ends"));
  }
  return static_cast<int>(version);
}

Medium read_kind(const Fields& fields) {
  const std::string name = fields.string("kind");
  const std::optional<Medium> medium = find_medium(name);
  if (!medium) fields.refuse(cat("unknown kind \"", name, "\": this build reads kv, text, embedding and activation"));
  return *medium;
}

std::vector<TensorFrame> read_tensors(const Fields& fields) {
  std::vector<TensorFrame> tensors;
  for (const json& element : fields.array("tensors", kMaxTensors)) {
    const Fields tensor(element, cat("envelope: tensor ", tensors.size()));
    TensorFrame frame;
    frame.name = tensor.string("name");
    frame.dtype = dtype_from_string(tensor.string("dtype"));
    for (const json& extent : tensor.array("shape", kMaxTensorRank)) {
      frame.shape.push_back(tensor.to_integer<std::int64_t>("shape", extent));
    }
    frame.byte_size();  // throws on what no tensor can be
    tensors.push_back(std::move(frame));
  }
  return tensors;
}

std::vector<PositionRange> read_positions(const Fields& fields) {
  std::vector<PositionRange> ranges;
  for (const json& element : fields.array("positions", kMaxPositionRanges)) {
    if (!element.is_array() || element.size() != 2) {
      fields.refuse(cat("field \"positions\": range ", ranges.size(), " is not a pair of first and count"));
    }
    const PositionRange range{.first = fields.to_integer<std::int64_t>("positions", element[0], 0),
                              .count = fields.to_integer<std::int64_t>("positions", element[1], 0)};
    // Keeps every later sum of firsts and counts far from overflow.
    if (range.first > kMaxTensorElements || range.count > kMaxTensorElements) {
      fields.refuse(
          cat("field \"positions\": range ", ranges.size(), " goes beyond the limit of ", kMaxTensorElements));
    }
    ranges.push_back(range);
  }
  return ranges;
}

void read_numbering(const Fields& fields, Envelope& envelope) {
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

Encoding read_encoding(const Fields& fields) {
  const std::string name = fields.string("encoding");
  for (const Encoding encoding : kEncodings) {
    if (to_string(encoding) == name) return encoding;
  }
  fields.refuse(cat("unknown encoding \"", name, "\": this build reads plain, int8, int4 and kept"));
}

void read_kv_fields(const Fields& fields, Envelope& envelope) {
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
  json tensors = json::array();
  for (const TensorFrame& tensor : envelope.tensors) {
    tensors.push_back({{"name", tensor.name}, {"dtype", to_string(tensor.dtype)}, {"shape", tensor.shape}});
  }
  json fields = {{"version", envelope.version},
                 {"kind", to_string(envelope.kind)},
                 {"mesh", envelope.mesh},
                 {"from", envelope.from},
                 {"to", envelope.to},
                 {"request", envelope.request},
                 {"sequence", envelope.sequence},
                 {"count", envelope.count},
                 {"manifest", envelope.manifest},
                 {"checksum", envelope.checksum},
                 {"tensors", std::move(tensors)}};
  if (envelope.kind == Medium::kKv) {
    json positions = json::array();
    for (const PositionRange& range : envelope.positions) positions.push_back(json::array({range.first, range.count}));
    fields["layer"] = envelope.layer;
    fields["positions"] = std::move(positions);
    fields["context_start"] = envelope.context_start;
    fields["context_end"] = envelope.context_end;
    fields["encoding"] = to_string(envelope.encoding);
    fields["layers_complete"] = envelope.layers_complete;
  }
  std::string bytes;
  json::to_msgpack(fields, bytes);
  if (bytes.size() > kMaxEnvelopeBytes) {
    throw Error(ErrorKind::kGiveUp,
                cat("the envelope of a message from \"", envelope.from, "\" to \"", envelope.to, "\" takes ",
                    bytes.size(), " bytes, more than the limit of ", kMaxEnvelopeBytes));
  }
  return OwnedBytes::from_string(std::move(bytes));
}

Envelope decode_envelope(const OwnedBytes& bytes) {
  const json object = detail::read_msgpack(bytes, "envelope");
  const Fields fields(object, "envelope");
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

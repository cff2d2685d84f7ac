#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kvcodec/wire/checksum.hpp"
#include "kvcodec/wire/edge_spec.hpp"
#include "kvcodec/wire/limits.hpp"
#include "kvcodec/wire/tensor_frame.hpp"

namespace kvmesh::wire {

/// `count` positions in a row.
struct PositionRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
  bool operator==(const PositionRange&) const = default;
};

/// How the rows of a kv message are written: as numbers, or in bits a number (kvcodec/quantize.hpp), or not at all: the
/// receiver has them (kvcodec/wire/reuse.hpp).
enum class Encoding { kPlain, kInt8, kInt4, kKept };

/// "plain", "int8", "int4", "kept".
std::string to_string(Encoding encoding);

/// The second frame of a message: what the payload frames behind it are. A value.
struct Envelope {
  Medium kind = Medium::kKv;
  std::string mesh;
  std::string from;
  std::string to;
  std::string request;
  std::uint32_t sequence = 0;        ///< of this message among those of this request on this edge, from 0
  std::uint32_t count = 0;           ///< how many there are; the last has sequence count - 1
  std::string manifest;              ///< Manifest::hash() of the sender's model
  std::uint64_t checksum = 0;        ///< XXH3-64 of the payload frames, one after the other
  std::vector<TensorFrame> tensors;  ///< a description a payload frame, in order

  // kv
  std::int32_t layer = -1;               ///< receiver layer
  std::vector<PositionRange> positions;  ///< of the rows of keys and values, in row order
  std::int64_t context_start = 0;        ///< position of the sender's own first token
  std::int64_t context_end = 0;          ///< one past its last: where a lone receiver's tokens begin
  Encoding encoding = Encoding::kPlain;
  std::vector<std::int32_t> heads;   ///< which KV heads the rows have, ascending; empty: all
  std::int32_t layers_complete = 0;  ///< no later message of the request is for a receiver layer below this one

  bool operator==(const Envelope&) const = default;
};

/// msgpack map with the names of docs/wire.md.
OwnedBytes encode_envelope(const Envelope& envelope);
/// Throws Error{kReconnect}: too long, damaged on the way, not msgpack, nested too deeply, another protocol version
/// (named, with ours), something needed that this build does not know (named), a missing or mistyped field (named),
/// limits exceeded. Unknown keys are skipped.
Envelope decode_envelope(const OwnedBytes& bytes);

/// A message as it is about to travel: [envelope, payload...], all but the checksum in its envelope. seal() puts that
/// there, once, and until then nobody reads the envelope's frame. Copies are the same message. Safe from any thread.
struct UnsealedMessage {
  std::vector<OwnedBytes> frames;
  std::function<void()> seal;  ///< null: nothing is missing

  /// The frames as they travel.
  std::vector<OwnedBytes> sealed() const {
    if (seal) seal();
    return frames;
  }
};

/// A message as it travels behind its topic: envelope and payload frames.
struct WireMessage {
  Envelope envelope;
  std::vector<OwnedBytes> payload;
  /// Bytes of the encoded envelope and the payload.
  std::size_t wire_bytes = 0;
};

/// Encodes all of it but the checksum, which is computed when the message is sealed, so that it reads the payload just
/// before the kernel does. The payload is shared, never copied.
UnsealedMessage frame_unsealed(const Envelope& envelope, std::span<const OwnedBytes> payload,
                               std::shared_ptr<LateChecksum> checksum);

/// Fills in checksum, encodes, and returns [envelope, payload...]; the payload is shared, never copied.
std::vector<OwnedBytes> encode_message(Envelope envelope, std::span<const OwnedBytes> payload);

/// Reads [envelope, payload...] and checks all that can be checked without knowing the models: number of frames, each
/// frame's size against its shape and dtype, rows against positions, checksum. Throws Error{kReconnect} that names
/// edge, request, layer and what is wrong. The payload shares the frames' memory.
WireMessage decode_message(std::span<const OwnedBytes> frames);
/// The same without the checksum, for who checks it with check_payload() or while the payload is copied.
WireMessage read_message(std::span<const OwnedBytes> frames);

/// A message whose rows are not what its envelope says, or are gone. Sent again, it may be whole.
class DamagedMessage : public Error {
 public:
  explicit DamagedMessage(const std::string& what) : Error(ErrorKind::kReconnect, what) {}
};

/// Throws DamagedMessage, naming edge, request and layer, unless the payload has the envelope's checksum.
void check_payload(const WireMessage& message);
/// The same for who knows the payload's checksum.
void check_checksum(const Envelope& envelope, std::uint64_t checksum);

/// Gives a message that has to wait a payload in memory of its own: its frames may be memory that the sender needs for
/// what is waited for. Returns the checksum of what was copied.
std::uint64_t detach(WireMessage& message);

}  // namespace kvmesh::wire

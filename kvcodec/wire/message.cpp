#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "base/error.hpp"
#include "kvcodec/wire/checksum.hpp"
#include "kvcodec/wire/detail/envelope_place.hpp"
#include "kvcodec/wire/detail/sealed_map.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::wire {
namespace {

std::string refusal(const Envelope& envelope, const std::string& reason) {
  std::string where = cat("edge ", envelope.from, " -> ", envelope.to, " (", to_string(envelope.kind), "), request \"",
                          envelope.request, "\", message ", envelope.sequence, " of ", envelope.count);
  if (envelope.kind == Medium::kKv) where += cat(", layer ", envelope.layer);
  return cat(where, ": ", reason);
}

[[noreturn]] void refuse(const Envelope& envelope, const std::string& reason) {
  throw Error(ErrorKind::kReconnect, refusal(envelope, reason));
}

void check_frame_sizes(const Envelope& envelope, std::span<const OwnedBytes> payload) {
  if (payload.size() != envelope.tensors.size()) {
    refuse(envelope, cat(payload.size(), " payload frames came, but the envelope describes ", envelope.tensors.size()));
  }
  for (std::size_t i = 0; i < payload.size(); ++i) {
    const TensorFrame& tensor = envelope.tensors[i];
    if (payload[i].size() == tensor.byte_size()) continue;
    refuse(envelope, cat("the frame of \"", tensor.name, "\" has ", payload[i].size(),
                         " bytes, but its shape and dtype ", "make ", tensor.byte_size()));
  }
}

void check_rows(const Envelope& envelope) {
  if (envelope.encoding == Encoding::kKept && !envelope.tensors.empty())
    refuse(envelope, "rows that the receiver is to have kept came with tensors");
  std::int64_t rows = 0;
  for (const PositionRange& range : envelope.positions) rows += range.count;
  for (const TensorFrame& tensor : envelope.tensors) {
    if (tensor.name != "keys" && tensor.name != "values") continue;
    const std::int64_t tensor_rows = tensor.shape.empty() ? 0 : tensor.shape.front();
    if (tensor_rows == rows) continue;
    refuse(envelope, cat("\"", tensor.name, "\" has ", tensor_rows, " rows, but the positions name ", rows));
  }
}

std::vector<OwnedBytes> frames_of(OwnedBytes envelope, std::span<const OwnedBytes> payload) {
  std::vector<OwnedBytes> frames;
  frames.reserve(payload.size() + 1);
  frames.push_back(std::move(envelope));
  frames.insert(frames.end(), payload.begin(), payload.end());
  return frames;
}

}  // namespace

std::vector<OwnedBytes> encode_message(Envelope envelope, std::span<const OwnedBytes> payload) {
  envelope.checksum = payload_checksum(payload);
  return frames_of(encode_envelope(envelope), payload);
}

UnsealedMessage frame_unsealed(const Envelope& envelope, std::span<const OwnedBytes> payload,
                               std::shared_ptr<LateChecksum> checksum) {
  struct Seal {
    std::mutex mutex;
    bool done = false;
    std::string envelope;
    std::size_t place = 0;
    std::shared_ptr<LateChecksum> checksum;
  };
  const auto seal = std::make_shared<Seal>();
  seal->envelope = encode_envelope(envelope).text();
  seal->place = detail::checksum_place(envelope.kind);
  seal->checksum = std::move(checksum);
  UnsealedMessage message;
  message.frames = frames_of(OwnedBytes(seal, std::as_bytes(std::span(seal->envelope))), payload);
  message.seal = [seal] {
    const std::lock_guard lock(seal->mutex);
    if (seal->done) return;
    const std::uint64_t value = seal->checksum->get();
    for (std::size_t i = 0; i < 8; ++i)
      seal->envelope[seal->place + i] = static_cast<char>(value >> (56 - 8 * i) & 0xff);
    detail::seal_map(seal->envelope);
    seal->done = true;
  };
  return message;
}

WireMessage decode_message(std::span<const OwnedBytes> frames) {
  WireMessage message = read_message(frames);
  check_payload(message);
  return message;
}

WireMessage read_message(std::span<const OwnedBytes> frames) {
  if (frames.empty()) throw Error(ErrorKind::kReconnect, "a message without an envelope frame came");
  WireMessage message;
  message.envelope = decode_envelope(frames.front());
  message.payload.assign(frames.begin() + 1, frames.end());
  message.wire_bytes = total_size(frames);

  check_frame_sizes(message.envelope, message.payload);
  if (message.envelope.kind == Medium::kKv) check_rows(message.envelope);
  return message;
}

void check_payload(const WireMessage& message) { check_checksum(message.envelope, payload_checksum(message.payload)); }

void check_checksum(const Envelope& envelope, std::uint64_t checksum) {
  if (checksum == envelope.checksum) return;
  throw DamagedMessage(refusal(envelope, cat("the payload's checksum is ", checksum, ", but the envelope says ",
                                             envelope.checksum, ": the message was damaged on its way")));
}

std::uint64_t detach(WireMessage& message) {
  std::vector<OwnedBytes> own;
  std::vector<std::byte*> places;
  for (const OwnedBytes& frame : message.payload) {
    const std::shared_ptr<std::byte[]> place = std::make_shared_for_overwrite<std::byte[]>(frame.size());
    places.push_back(place.get());
    own.emplace_back(place, std::span<const std::byte>(place.get(), frame.size()));
  }
  const std::uint64_t checksum = copy_payload(message.payload, places);
  message.payload = std::move(own);
  return checksum;
}

}  // namespace kvmesh::wire

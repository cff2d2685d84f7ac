#include "kvcodec/decode.hpp"

#include <ATen/ATen.h>

#include <cstring>

#include "base/error.hpp"
#include "kvcodec/detail/dtypes.hpp"

namespace kvmesh::kvcodec {
namespace {

[[noreturn]] void refuse(const wire::Envelope& envelope, const std::string& reason) {
  throw Error(ErrorKind::kReconnect, cat("edge ", envelope.from, " -> ", envelope.to, " (", to_string(envelope.kind),
                                         "), request \"", envelope.request, "\": ", reason));
}

at::Tensor view_of(const OwnedBytes& bytes, const wire::TensorFrame& frame) {
  const auto options = at::TensorOptions().dtype(detail::to_tensor_dtype(frame.dtype)).device(at::kCPU);
  if (frame.byte_size() != bytes.size()) {
    throw Error(ErrorKind::kReconnect, cat("tensor \"", frame.name, "\" has ", bytes.size(),
                                           " bytes, but its shape and ", "dtype make ", frame.byte_size()));
  }
  if (bytes.empty()) return at::empty(frame.shape, options);
  const bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % wire::bytes_of(frame.dtype) == 0;
  if (!aligned) {
    at::Tensor copy = at::empty(frame.shape, options);
    std::memcpy(copy.data_ptr(), bytes.data(), bytes.size());
    return copy;
  }
  // ATen has no read-only tensors; that nobody writes is decode.hpp's rule.
  auto* data = const_cast<std::byte*>(bytes.data());
  return at::from_blob(
      data, frame.shape, [owner = bytes.owner()](void*) {}, options);
}

void check_layer_frames(const wire::Envelope& envelope, std::int64_t kv_heads, std::int64_t head_dim) {
  const auto& tensors = envelope.tensors;
  if (tensors.size() != 2 || tensors[0].name != "keys" || tensors[1].name != "values") {
    refuse(envelope, cat("layer ", envelope.layer, " must come as the two tensors \"keys\" and \"values\""));
  }
  for (const wire::TensorFrame& tensor : tensors) {
    if (tensor.shape.size() != 3) {
      refuse(envelope, cat("\"", tensor.name, "\" of layer ", envelope.layer, " has ", tensor.shape.size(),
                           " axes, but must be [tokens, kv_heads, head_dim]"));
    }
    if (tensor.shape[1] != kv_heads || tensor.shape[2] != head_dim) {
      refuse(envelope,
             cat("\"", tensor.name, "\" of layer ", envelope.layer, " has ", tensor.shape[1], " kv heads of dimension ",
                 tensor.shape[2], ", but the receiver has ", kv_heads, " of ", head_dim));
    }
  }
  if (tensors[0].shape != tensors[1].shape || tensors[0].dtype != tensors[1].dtype) {
    refuse(envelope, cat("keys and values of layer ", envelope.layer,
                         " differ in shape or dtype: ", tensors[0].shape[0], " rows of ", to_string(tensors[0].dtype),
                         " against ", tensors[1].shape[0], " of ", to_string(tensors[1].dtype)));
  }
}

}  // namespace

LayerKv decode_layer(const wire::WireMessage& message, std::int64_t kv_heads, std::int64_t head_dim) {
  const wire::Envelope& envelope = message.envelope;
  if (envelope.kind != wire::Medium::kKv) refuse(envelope, "keys and values were expected");
  check_layer_frames(envelope, kv_heads, head_dim);
  return {.keys = view_of(message.payload.at(0), envelope.tensors[0]),
          .values = view_of(message.payload.at(1), envelope.tensors[1]),
          .positions = envelope.positions};
}

at::Tensor decode_tensor(const wire::WireMessage& message, const std::string& name) {
  for (std::size_t i = 0; i < message.envelope.tensors.size(); ++i) {
    if (message.envelope.tensors[i].name != name) continue;
    return view_of(message.payload.at(i), message.envelope.tensors[i]);
  }
  refuse(message.envelope, cat("it holds no tensor \"", name, "\""));
}

std::string decode_text(const wire::WireMessage& message) {
  const wire::Envelope& envelope = message.envelope;
  const bool is_text = envelope.kind == wire::Medium::kText && envelope.tensors.size() == 1 &&
                       envelope.tensors[0].name == "text" && envelope.tensors[0].dtype == wire::Dtype::kUint8;
  if (!is_text) refuse(envelope, "one tensor \"text\" of u8 was expected");
  return std::string(message.payload.at(0).text());
}

}  // namespace kvmesh::kvcodec

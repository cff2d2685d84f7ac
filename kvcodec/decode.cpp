#include "kvcodec/decode.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstring>

#include "base/error.hpp"
#include "kvcodec/detail/dtypes.hpp"
#include "kvcodec/detail/quantized_frames.hpp"
#include "kvcodec/positions.hpp"
#include "kvcodec/quantize.hpp"

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

void check_plain_frames(const wire::Envelope& envelope, std::int64_t kv_heads, std::int64_t head_dim) {
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

QuantShape quant_shape(const wire::Envelope& envelope, std::int64_t kv_heads, std::int64_t head_dim) {
  return {.rows = count_positions(envelope.positions),
          .heads = kv_heads,
          .head_dim = head_dim,
          .bits = envelope.encoding == wire::Encoding::kInt8 ? 8 : 4};
}

void check_quantized_frames(const wire::Envelope& envelope, std::int64_t kv_heads, std::int64_t head_dim) {
  if (head_dim % 2 != 0 || head_dim > kMaxQuantHeadDim)
    refuse(envelope, cat("rows came as ", to_string(envelope.encoding), ", which the receiver's head_dim ", head_dim,
                         " does not allow"));
  if (envelope.tensors != detail::quantized_frames(quant_shape(envelope, kv_heads, head_dim)))
    refuse(envelope, cat("the tensors of layer ", envelope.layer, " are not what ", to_string(envelope.encoding),
                         " of ", count_positions(envelope.positions), " rows of ", kv_heads, " kv heads of dimension ",
                         head_dim, " has"));
}

/// How many heads the rows have, of a receiver's `kv_heads`.
std::int64_t heads_in(const wire::Envelope& envelope, std::int64_t kv_heads) {
  if (envelope.heads.empty()) return kv_heads;
  if (envelope.heads.back() >= kv_heads)
    refuse(envelope, cat("layer ", envelope.layer, " has rows of KV head ", envelope.heads.back(),
                         ", but the receiver has KV heads 0 to ", kv_heads - 1));
  return static_cast<std::int64_t>(envelope.heads.size());
}

/// `kv_heads`: of the rows.
void check_frames(const wire::WireMessage& message, std::int64_t kv_heads, std::int64_t head_dim) {
  const wire::Envelope& envelope = message.envelope;
  if (envelope.kind != wire::Medium::kKv) refuse(envelope, "keys and values were expected");
  if (envelope.encoding == wire::Encoding::kKept)
    refuse(envelope, cat("layer ", envelope.layer, " refers to rows that were never kept"));
  if (envelope.encoding == wire::Encoding::kPlain) check_plain_frames(envelope, kv_heads, head_dim);
  else check_quantized_frames(envelope, kv_heads, head_dim);
}

/// The same by the receiver's heads; gives those of the rows.
std::int64_t check_layer(const wire::WireMessage& message, std::int64_t kv_heads, std::int64_t head_dim) {
  const std::int64_t heads = heads_in(message.envelope, kv_heads);
  check_frames(message, heads, head_dim);
  return heads;
}

/// Where the frames are memory of the right alignment this is them; else a copy.
QuantView view_of_codes(const std::array<at::Tensor, 3>& tensors) {
  return {.codes = tensors[0].data_ptr<std::uint8_t>(),
          .scales = reinterpret_cast<std::uint16_t*>(tensors[1].data_ptr()),
          .zeros = reinterpret_cast<std::uint16_t*>(tensors[2].data_ptr())};
}

/// `to`: bf16 or fp32, contiguous, on the CPU.
void dequantize(const wire::WireMessage& message, const QuantShape& shape, const at::Tensor& keys,
                const at::Tensor& values) {
  const auto tensor = [&](std::size_t i) { return view_of(message.payload.at(i), message.envelope.tensors[i]); };
  const std::array k{tensor(0), tensor(1), tensor(2)}, v{tensor(3), tensor(4), tensor(5)};
  const QuantKernels& run = quant_kernels();
  if (keys.scalar_type() == at::kFloat) {
    run.keys_to_fp32(view_of_codes(k), shape, keys.data_ptr<float>());
    run.values_to_fp32(view_of_codes(v), shape, values.data_ptr<float>());
  } else {
    run.keys_to_bf16(view_of_codes(k), shape, detail::bf16_data(keys));
    run.values_to_bf16(view_of_codes(v), shape, detail::bf16_data(values));
  }
}

void copy_rows(const at::Tensor& from, const at::Tensor& to) {
  TORCH_INTERNAL_ASSERT(from.sizes() == to.sizes());
  const bool plain = from.scalar_type() == to.scalar_type() && to.device().is_cpu() && to.is_contiguous();
  // memcpy, not copy_(): that starts a team of threads for what one thread does at the memory's speed.
  if (plain && from.numel() > 0) std::memcpy(to.data_ptr(), from.data_ptr(), from.nbytes());
  else if (to.is_cuda()) to.copy_(from.pin_memory(), /*non_blocking=*/true);
  else to.copy_(from);
}

/// Rows of some heads, each to its place among all; the places of the others are zero.
void spread_heads(const at::Tensor& from, const std::vector<std::int32_t>& heads, const at::Tensor& to) {
  to.zero_();
  for (std::size_t i = 0; i < heads.size(); ++i)
    to.select(1, heads[i]).copy_(from.select(1, static_cast<std::int64_t>(i)));
}

/// Payload frame number `frame` is what `to` holds, byte for byte.
bool holds_bytes_of(const wire::WireMessage& message, std::size_t frame, const at::Tensor& to) {
  return detail::to_tensor_dtype(message.envelope.tensors.at(frame).dtype) == to.scalar_type() &&
         message.payload.at(frame).size() == to.nbytes() && to.device().is_cpu() && to.is_contiguous();
}

}  // namespace

LayerKv decode_layer(const wire::WireMessage& message, std::int64_t receiver_heads, std::int64_t head_dim) {
  const std::int64_t kv_heads = check_layer(message, receiver_heads, head_dim);
  const wire::Envelope& envelope = message.envelope;
  if (envelope.encoding == wire::Encoding::kPlain)
    return {.keys = view_of(message.payload.at(0), envelope.tensors[0]),
            .values = view_of(message.payload.at(1), envelope.tensors[1]),
            .positions = envelope.positions};
  const QuantShape shape = quant_shape(envelope, kv_heads, head_dim);
  const std::array<std::int64_t, 3> sizes{shape.rows, kv_heads, head_dim};
  LayerKv layer{.keys = at::empty(sizes, at::kBFloat16),
                .values = at::empty(sizes, at::kBFloat16),
                .positions = envelope.positions};
  dequantize(message, shape, layer.keys, layer.values);
  return layer;
}

std::int64_t rows_in(const wire::WireMessage& message, std::int64_t kv_heads, std::int64_t head_dim) {
  check_layer(message, kv_heads, head_dim);
  return count_positions(message.envelope.positions);
}

void decode_layer_into(const wire::WireMessage& message, const at::Tensor& keys, const at::Tensor& values) {
  const std::int64_t kv_heads = keys.size(1), head_dim = keys.size(2);
  if (!message.envelope.heads.empty()) {
    const LayerKv layer = decode_layer(message, kv_heads, head_dim);
    spread_heads(layer.keys, message.envelope.heads, keys);
    spread_heads(layer.values, message.envelope.heads, values);
    return;
  }
  const bool direct = message.envelope.encoding != wire::Encoding::kPlain && keys.device().is_cpu() &&
                      (keys.scalar_type() == at::kBFloat16 || keys.scalar_type() == at::kFloat) &&
                      keys.is_contiguous() && values.is_contiguous();
  if (direct) {
    check_layer(message, kv_heads, head_dim);
    return dequantize(message, quant_shape(message.envelope, kv_heads, head_dim), keys, values);
  }
  const LayerKv layer = decode_layer(message, kv_heads, head_dim);
  copy_rows(layer.keys, keys);
  copy_rows(layer.values, values);
}

void check_and_decode_layer_into(const wire::WireMessage& message, const at::Tensor& keys, const at::Tensor& values) {
  check_layer(message, keys.size(1), keys.size(2));
  if (message.envelope.encoding == wire::Encoding::kPlain && message.envelope.heads.empty() &&
      holds_bytes_of(message, 0, keys) && holds_bytes_of(message, 1, values)) {
    const std::array to{static_cast<std::byte*>(keys.data_ptr()), static_cast<std::byte*>(values.data_ptr())};
    return wire::check_checksum(message.envelope, wire::copy_payload(message.payload, to));
  }
  wire::check_payload(message);
  decode_layer_into(message, keys, values);
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

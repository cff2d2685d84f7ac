#include "kvcodec/encode.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "kvcodec/detail/dtypes.hpp"
#include "kvcodec/detail/quantized_frames.hpp"
#include "kvcodec/positions.hpp"
#include "kvcodec/quantize.hpp"

namespace kvmesh::kvcodec {
namespace {

/// The tensor's own memory where it is on the CPU and contiguous, else that of a copy.
OwnedBytes payload_of(const at::Tensor& tensor) {
  auto owner = std::make_shared<const at::Tensor>(tensor.detach().to(at::kCPU).contiguous());
  const auto* data = static_cast<const std::byte*>(owner->data_ptr());
  return OwnedBytes(owner, {data, static_cast<std::size_t>(owner->nbytes())});
}

wire::TensorFrame frame_of(const at::Tensor& tensor, std::string name) {
  return {.name = std::move(name), .dtype = detail::to_wire_dtype(tensor.scalar_type()), .shape = tensor.sizes().vec()};
}

void check_layer(const LayerKv& layer) {
  if (!layer.keys.defined() || !layer.values.defined() || layer.keys.dim() != 3) {
    fail_input("keys and values must be [tokens, kv_heads, head_dim]");
  }
  if (layer.keys.sizes() != layer.values.sizes() || layer.keys.scalar_type() != layer.values.scalar_type()) {
    fail_input("keys are ", layer.keys.sizes(), " of ", c10::toString(layer.keys.scalar_type()), ", values ",
               layer.values.sizes(), " of ", c10::toString(layer.values.scalar_type()));
  }
  if (count_positions(layer.positions) != layer.tokens()) {
    fail_input("it has ", layer.tokens(), " tokens, but ", count_positions(layer.positions), " positions");
  }
}

/// Memory of `room`, or of its own.
WritableBytes make_room(const MakeRoom& room, std::size_t bytes) {
  if (room) {
    if (WritableBytes place = room(bytes); place.owner) return place;
  }
  std::shared_ptr<std::byte[]> own(new std::byte[bytes]);
  std::byte* data = own.get();
  return {std::move(own), data};
}

void pack_plain(const LayerKv& layer, at::ScalarType dtype, const MakeRoom& room, PackedRows& rows) {
  const bool as_it_is = dtype == layer.keys.scalar_type() && layer.keys.device().is_cpu();
  for (const auto& [tensor, name] : {std::pair(layer.keys, "keys"), std::pair(layer.values, "values")}) {
    rows.tensors.push_back({.name = name, .dtype = detail::to_wire_dtype(dtype), .shape = tensor.sizes().vec()});
    if (as_it_is) {
      rows.payload.push_back(payload_of(tensor));
      continue;
    }
    const std::size_t bytes = rows.tensors.back().byte_size();
    const WritableBytes place = make_room(room, bytes);
    at::from_blob(place.data, tensor.sizes(), at::TensorOptions().dtype(dtype)).copy_(tensor);
    rows.payload.emplace_back(place.owner, std::span<const std::byte>(place.data, bytes));
  }
}

/// bf16 and fp32 are quantised as they are, what else there is by way of fp32.
at::Tensor quantizable(const at::Tensor& tensor) {
  const bool known = tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kFloat;
  return tensor.to(at::kCPU, known ? tensor.scalar_type() : at::kFloat).contiguous();
}

/// Frames that share a piece of memory begin at multiples of a cache line.
constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

void pack_quantized(const LayerKv& layer, int bits, const MakeRoom& room, PackedRows& rows) {
  const QuantShape shape{.rows = layer.tokens(),
                         .heads = layer.keys.size(1),
                         .head_dim = layer.keys.size(2),
                         .bits = bits};
  if (shape.head_dim % 2 != 0 || shape.head_dim > kMaxQuantHeadDim)
    fail_input("head_dim ", shape.head_dim, " cannot be quantised: it must be even and at most ", kMaxQuantHeadDim,
               "; choose wire: same, bf16 or fp16");
  rows.encoding = bits == 8 ? wire::Encoding::kInt8 : wire::Encoding::kInt4;
  rows.tensors = detail::quantized_frames(shape);
  std::size_t bytes = 0;
  for (const wire::TensorFrame& frame : rows.tensors) bytes += aligned(frame.byte_size());
  const WritableBytes place = make_room(room, bytes);
  std::vector<std::byte*> at;
  std::byte* next = place.data;
  for (const wire::TensorFrame& frame : rows.tensors) {
    rows.payload.emplace_back(place.owner, std::span<const std::byte>(next, frame.byte_size()));
    at.push_back(next);
    next += aligned(frame.byte_size());
  }
  const auto view = [&](std::size_t first) {
    return QuantView{.codes = reinterpret_cast<std::uint8_t*>(at[first]),
                     .scales = reinterpret_cast<std::uint16_t*>(at[first + 1]),
                     .zeros = reinterpret_cast<std::uint16_t*>(at[first + 2])};
  };
  const at::Tensor keys = quantizable(layer.keys), values = quantizable(layer.values);
  const QuantKernels& run = quant_kernels();
  const bool wide = keys.scalar_type() == at::kFloat;
  const bool fits = wide ? run.keys_from_fp32(keys.data_ptr<float>(), shape, view(0)) &&
                               run.values_from_fp32(values.data_ptr<float>(), shape, view(3))
                         : run.keys_from_bf16(detail::bf16_data(keys), shape, view(0)) &&
                               run.values_from_bf16(detail::bf16_data(values), shape, view(3));
  if (!fits)
    fail_input("its keys or values hold numbers beyond fp16's range or none at all, which ", to_string(rows.encoding),
               " cannot carry; choose wire: same or bf16");
}

}  // namespace

PackedRows pack_rows(const LayerKv& layer, wire::WireDtype wire, const MakeRoom& room) {
  check_layer(layer);
  PackedRows rows;
  switch (wire) {
    case wire::WireDtype::kAuto:  // until it has been measured
    case wire::WireDtype::kSame: pack_plain(layer, layer.keys.scalar_type(), room, rows); break;
    case wire::WireDtype::kBFloat16: pack_plain(layer, at::kBFloat16, room, rows); break;
    case wire::WireDtype::kFloat16: pack_plain(layer, at::kHalf, room, rows); break;
    case wire::WireDtype::kInt8: pack_quantized(layer, 8, room, rows); break;
    case wire::WireDtype::kInt4: pack_quantized(layer, 4, room, rows); break;
  }
  rows.positions = layer.positions;
  rows.checksum = std::make_shared<wire::LateChecksum>(rows.payload);
  return rows;
}

LayerKv only_heads(const LayerKv& layer, const std::vector<std::int32_t>& heads) {
  if (heads.empty()) return layer;
  c10::InferenceMode guard;
  const at::Tensor index = at::tensor(std::vector<std::int64_t>(heads.begin(), heads.end()), at::kLong);
  return {layer.keys.index_select(1, index.to(layer.keys.device())),
          layer.values.index_select(1, index.to(layer.values.device())), layer.positions};
}

wire::UnsealedMessage address_rows(const PackedRows& rows, wire::Envelope base) {
  base.kind = wire::Medium::kKv;
  base.encoding = rows.encoding;
  base.positions = rows.positions;
  base.tensors = rows.tensors;
  return wire::frame_unsealed(base, rows.payload, rows.checksum);
}

std::vector<OwnedBytes> encode_layer(const LayerKv& layer, wire::Envelope base) {
  try {
    return address_rows(pack_rows(layer, wire::WireDtype::kSame), base).sealed();
  } catch (const Error& error) {
    throw Error(error.kind(), cat("layer ", base.layer, " cannot be sent: ", error.what()));
  }
}

std::vector<OwnedBytes> encode_tensor(const at::Tensor& tensor, std::string name, wire::Envelope base) {
  base.tensors = {frame_of(tensor, std::move(name))};
  const std::array payload{payload_of(tensor)};
  return wire::encode_message(std::move(base), payload);
}

std::vector<OwnedBytes> encode_text(std::string text, wire::Envelope base) {
  base.kind = wire::Medium::kText;
  const std::array payload{OwnedBytes::from_string(std::move(text))};
  base.tensors = {
      {.name = "text", .dtype = wire::Dtype::kUint8, .shape = {static_cast<std::int64_t>(payload.front().size())}}};
  return wire::encode_message(std::move(base), payload);
}

}  // namespace kvmesh::kvcodec

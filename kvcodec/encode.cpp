#include "kvcodec/encode.hpp"

#include <ATen/ATen.h>

#include <array>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "kvcodec/detail/dtypes.hpp"
#include "kvcodec/positions.hpp"

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

void check_layer(const LayerKv& layer, int number) {
  if (!layer.keys.defined() || !layer.values.defined() || layer.keys.dim() != 3) {
    fail_input("layer ", number, " cannot be sent: keys and values must be [tokens, kv_heads, head_dim]");
  }
  if (layer.keys.sizes() != layer.values.sizes() || layer.keys.scalar_type() != layer.values.scalar_type()) {
    fail_input("layer ", number, " cannot be sent: keys are ", layer.keys.sizes(), " of ",
               c10::toString(layer.keys.scalar_type()), ", values ", layer.values.sizes(), " of ",
               c10::toString(layer.values.scalar_type()));
  }
  if (count_positions(layer.positions) != layer.tokens()) {
    fail_input("layer ", number, " cannot be sent: it has ", layer.tokens(), " tokens, but ",
               count_positions(layer.positions), " positions");
  }
}

}  // namespace

std::vector<OwnedBytes> encode_layer(const LayerKv& layer, wire::Envelope base) {
  check_layer(layer, base.layer);
  base.kind = wire::Medium::kKv;
  base.positions = layer.positions;
  base.tensors = {frame_of(layer.keys, "keys"), frame_of(layer.values, "values")};
  const std::array payload{payload_of(layer.keys), payload_of(layer.values)};
  return wire::encode_message(std::move(base), payload);
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

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kvcodec/quantize.hpp"
#include "kvcodec/wire/tensor_frame.hpp"

namespace kvmesh::kvcodec::detail {

/// The tensors of a message of quantised rows, in their order.
inline std::vector<wire::TensorFrame> quantized_frames(const QuantShape& shape) {
  const std::vector<std::int64_t> codes{shape.rows, shape.heads, shape.head_dim * shape.bits / 8};
  const std::vector<std::int64_t> by_channel{shape.token_groups(), shape.heads, shape.head_dim};
  const std::vector<std::int64_t> by_token{shape.rows, shape.heads, shape.channel_groups()};
  return {{.name = "keys", .dtype = wire::Dtype::kUint8, .shape = codes},
          {.name = "key_scales", .dtype = wire::Dtype::kFloat16, .shape = by_channel},
          {.name = "key_zeros", .dtype = wire::Dtype::kFloat16, .shape = by_channel},
          {.name = "values", .dtype = wire::Dtype::kUint8, .shape = codes},
          {.name = "value_scales", .dtype = wire::Dtype::kFloat16, .shape = by_token},
          {.name = "value_zeros", .dtype = wire::Dtype::kFloat16, .shape = by_token}};
}

/// A bf16 tensor's bits.
inline std::uint16_t* bf16_data(const at::Tensor& tensor) {
  return reinterpret_cast<std::uint16_t*>(tensor.data_ptr<at::BFloat16>());
}

}  // namespace kvmesh::kvcodec::detail

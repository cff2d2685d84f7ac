#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::kvcodec {

/// `keys` [tokens, kv_heads, head_dim], already rotated at positions p, rotated on to p + delta: as if they had been
/// prefilled there. `inv_freq` [rotary_dim / 2] are the model's rotary frequencies in radians a position; element i of
/// a head turns with element i + rotary_dim / 2 (the half-split convention), elements from rotary_dim on stay as they
/// are. Computed in fp32, angles in double; returned in the keys' dtype and on their device, in new memory (the keys
/// themselves where delta is 0). Throws Error{kFixInput} where the shapes do not fit.
at::Tensor rotate_keys(const at::Tensor& keys, std::int64_t delta, const at::Tensor& inv_freq);

/// Number of positions in all ranges.
std::int64_t count_positions(std::span<const wire::PositionRange> ranges);

/// Every position, in order.
std::vector<std::int64_t> expand_positions(std::span<const wire::PositionRange> ranges);

/// The fewest ranges that expand to `positions`.
std::vector<wire::PositionRange> compress_positions(std::span<const std::int64_t> positions);

/// The ranges moved by `delta`. Throws Error{kFixInput} where one would begin before position 0.
std::vector<wire::PositionRange> shift_positions(std::span<const wire::PositionRange> ranges, std::int64_t delta);

}  // namespace kvmesh::kvcodec

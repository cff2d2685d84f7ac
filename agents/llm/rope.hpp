#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "agents/llm/config.hpp"

namespace kvmesh::llm {

/// theta^(-2i/head_dim) for i in [0, head_dim/2), fp32, computed in fp32 as the checkpoints' reference does.
at::Tensor inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim);

/// Cosines and sines of the angles of some positions, each [positions, 1, head_dim/2] in fp32.
struct RopeTable {
  at::Tensor cos;
  at::Tensor sin;
};
RopeTable rope_table(const at::Tensor& inverse_frequencies, const std::vector<std::int64_t>& positions);

/// Rotates `x` [tokens, heads, head_dim] by its tokens' angles, half-split layout; fp32 inside, x's dtype out.
at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table);

}  // namespace kvmesh::llm

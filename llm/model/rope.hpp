#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "llm/model/config.hpp"

namespace kvmesh::llm {

/// Radians a position for each dimension pair, [head_dim/2], fp32, computed in fp32 as the checkpoints' reference does.
/// f = theta^(-2i/head_dim), and of it
///   linear    f / factor
///   llama3    f where a turn takes less than original/high_freq_factor tokens, f / factor where it takes more than
///             original/low_freq_factor, and between the two a mix, linear in original tokens a turn
///   factors   f / the factor of its own
///   dynamic   f with theta * (factor * n/original - (factor - 1))^(d/(d-2)), n the length but at least original
/// `length`: positions that the sequence has with the tokens that are about to be rotated; only `dynamic` looks at it.
at::Tensor inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim, std::int64_t length = 0);

/// Writes the cosines and sines of the angles of `count` positions from `first` on into rows [row, row + count) of
/// `cos` and `sin`, fp32 [rows, head_dim/2]. Allocates nothing on the CPU.
void fill_angles(at::Tensor& cos, at::Tensor& sin, std::int64_t row, const at::Tensor& inverse_frequencies,
                 std::int64_t first, std::int64_t count);

}  // namespace kvmesh::llm

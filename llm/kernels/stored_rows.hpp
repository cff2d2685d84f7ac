#pragma once

// The product of a few rows with weights as they are stored: a run of a weight row is made fp32 in the first-level
// cache and meets every row while it is there.

#include <algorithm>

#include "llm/kernels/dequantise.hpp"
#include "llm/kernels/rounded_rows.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

constexpr std::int64_t kRun = 1024;                    ///< numbers; whole blocks of every type
constexpr int kSums = 4;                               ///< sums of one product that do not wait for one another
constexpr int kTogether = KVMESH_LANES == 16 ? 4 : 2;  ///< rows whose sums stand in registers

struct Sums {
  Lanes v[kSums] = {};
};

/// Adds weight[k] * input[r][k] for R rows; `width` numbers.
template <int R>
KVMESH_INLINE void add_products(Sums* sums, const float* weight, const float* input, std::int64_t stride,
                                std::int64_t width) {
  Sums own[R];
  for (int r = 0; r < R; ++r) own[r] = sums[r];
  std::int64_t k = 0;
  for (; k + kSums * kLanes <= width; k += kSums * kLanes) {
    for (int s = 0; s < kSums; ++s) {
      const Lanes w = load(weight + k + s * kLanes);
      for (int r = 0; r < R; ++r) own[r].v[s] += w * load(input + r * stride + k + s * kLanes);
    }
  }
  for (; k < width; k += kLanes) {
    const std::int64_t count = width - k < kLanes ? width - k : kLanes;
    const Lanes w = load_some(weight + k, count);
    for (int r = 0; r < R; ++r) own[r].v[0] += w * load_some(input + r * stride + k, count);
  }
  for (int r = 0; r < R; ++r) sums[r] = own[r];
}

/// One weight row against every row of the input.
inline void stored_row(const StoredRows& task, StoredDtype dtype, const std::uint8_t* row, float* output) {
  if (task.high != nullptr && rounded_row(task, dtype, row, output)) return;
  constexpr std::int64_t kMost = 8;
  alignas(64) float wide[kRun];
  Sums sums[kMost];
  const std::size_t bytes = element_size(dtype);
  for (std::int64_t k = 0; k < task.width; k += kRun) {
    const std::int64_t count = std::min(kRun, task.width - k);
    dequantise_row(dtype, row + static_cast<std::size_t>(k / block_length(dtype)) * bytes, count, wide);
    const float* input = task.input + k;
    std::int64_t r = 0;
    for (; r + kTogether <= task.rows; r += kTogether)
      add_products<kTogether>(sums + r, wide, input + r * task.width, task.width, count);
    for (; r < task.rows; ++r) add_products<1>(sums + r, wide, input + r * task.width, task.width, count);
  }
  for (std::int64_t r = 0; r < task.rows; ++r)
    output[r * task.outputs] = sum_of((sums[r].v[0] + sums[r].v[1]) + (sums[r].v[2] + sums[r].v[3]));
}

inline void stored_rows(const StoredRows& task, Range outputs) {
  std::int64_t first = 0;
  for (std::int64_t p = 0; p < task.piece_count; ++p) {
    const StoredPiece& piece = task.pieces[p];
    const std::int64_t begin = std::max(outputs.begin - first, std::int64_t{0});
    const std::int64_t end = std::min(outputs.end - first, piece.rows);
    for (std::int64_t row = begin; row < end; ++row)
      stored_row(task, piece.dtype, reinterpret_cast<const std::uint8_t*>(piece.data) + row * piece.row_bytes,
                 task.output + first + place_of(row, piece.interleaved));
    first += piece.rows;
  }
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

#pragma once

// The small matrix products inside attention: rows of A, in memory as they are, with a packed block of B.

#include "llm/kernels/lanes.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

/// What a product of T is made of: bf16 pairs where the processor multiplies them, else fp32.
template <class T>
struct Element {
  using Type = float;
  static constexpr std::int64_t kPair = 1;
};
#ifdef KVMESH_DOT_BF16
template <>
struct Element<Bf16> {
  using Type = Bf16;
  static constexpr std::int64_t kPair = 2;
};
#endif

KVMESH_INLINE Lanes add_product(Lanes sum, const float* a, const float* b) { return sum + *a * load(b); }
#ifdef KVMESH_DOT_BF16
KVMESH_INLINE Lanes add_product(Lanes sum, const Bf16* a, const Bf16* b) {
  std::int32_t pair;
  std::memcpy(&pair, a, sizeof pair);
  return (Lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(pair), (__m512bh)_mm512_loadu_si512(b));
}
#endif

/// out[R, C vectors] (+)= A[R, steps] B[steps, C vectors]; a step is an element of A, or a pair of bf16.
template <class E, int R, int C>
KVMESH_INLINE void tile(const E* a, std::int64_t a_stride, const E* b, std::int64_t b_stride, std::int64_t steps,
                        float* out, std::int64_t out_stride, bool accumulate) {
  constexpr std::int64_t kPair = sizeof(float) / sizeof(E);
  Lanes sums[R][C] = {};
  if (accumulate)
    for (int r = 0; r < R; ++r)
      for (int c = 0; c < C; ++c) sums[r][c] = load(out + r * out_stride + c * kLanes);
  for (std::int64_t s = 0; s < steps; ++s)
    for (int r = 0; r < R; ++r)
      for (int c = 0; c < C; ++c)
        sums[r][c] = add_product(sums[r][c], a + r * a_stride + s * kPair, b + s * b_stride + c * kLanes * kPair);
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) store(out + r * out_stride + c * kLanes, sums[r][c]);
}

template <class E, int C>
KVMESH_INLINE void tile_rows(const E* a, std::int64_t a_stride, std::int64_t rows, const E* b, std::int64_t b_stride,
                             std::int64_t steps, float* out, std::int64_t out_stride, bool accumulate) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4)
    tile<E, 4, C>(a + r * a_stride, a_stride, b, b_stride, steps, out + r * out_stride, out_stride, accumulate);
  for (; r < rows; ++r)
    tile<E, 1, C>(a + r * a_stride, a_stride, b, b_stride, steps, out + r * out_stride, out_stride, accumulate);
}

/// out[rows, columns] (+)= A[rows, steps] B[steps, columns], B packed as [steps][columns][pair]; `columns` is a
/// multiple of kLanes. Strides are in elements.
template <class E>
void multiply(const E* a, std::int64_t a_stride, std::int64_t rows, const E* b, std::int64_t steps,
              std::int64_t columns, float* out, std::int64_t out_stride, bool accumulate) {
  constexpr std::int64_t kPair = sizeof(float) / sizeof(E);
  constexpr std::int64_t kWide = KVMESH_LANES == 16 ? 4 : 2;  // vectors whose sums fit the registers for four rows
  const std::int64_t b_stride = columns * kPair;
  std::int64_t n = 0;
  for (; n + kWide * kLanes <= columns; n += kWide * kLanes)
    tile_rows<E, kWide>(a, a_stride, rows, b + n * kPair, b_stride, steps, out + n, out_stride, accumulate);
  for (; n < columns; n += kLanes)
    tile_rows<E, 1>(a, a_stride, rows, b + n * kPair, b_stride, steps, out + n, out_stride, accumulate);
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

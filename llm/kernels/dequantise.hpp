#pragma once

// Quantised rows as fp32.

#include "llm/kernels/blocks.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

/// Numbers [kLanes * part, ...) of half `half` of the codes.
KVMESH_INLINE Lanes numbers_of(SignedBytes codes, int half, int part) {
#if KVMESH_LANES == 16
  const __m128i bytes =
      half == 0 ? _mm256_castsi256_si128((__m256i)codes) : _mm256_extracti128_si256((__m256i)codes, 1);
  (void)part;
  return (Lanes)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
#elif KVMESH_LANES == 8
  const __m128i bytes =
      half == 0 ? _mm256_castsi256_si128((__m256i)codes) : _mm256_extracti128_si256((__m256i)codes, 1);
  return (Lanes)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(part == 0 ? bytes : _mm_srli_si128(bytes, 8)));
#else
  Lanes numbers;
  for (int i = 0; i < KVMESH_LANES; ++i)
    numbers[i] = static_cast<float>(codes[half * kGroup / 2 + part * KVMESH_LANES + i]);
  return numbers;
#endif
}

template <StoredDtype kDtype>
void dequantise_blocks(const std::uint8_t* from, std::int64_t count, float* to) {
  using B = Block<kDtype>;
  const std::int64_t blocks = count / (B::kGroups * kGroup);
  for (std::int64_t b = 0; b < blocks; ++b, from += B::kBytes, to += B::kGroups * kGroup) {
    const B block(from);
#pragma GCC unroll 8
    for (int g = 0; g < B::kGroups; ++g) {
      const SignedBytes codes = (SignedBytes)block.codes(g) - B::kZero;
#pragma GCC unroll 8
      for (int v = 0; v < kGroup / KVMESH_LANES; ++v) {
        const int half = v / (kGroup / 2 / KVMESH_LANES), part = v % (kGroup / 2 / KVMESH_LANES);
        const int i = B::kTwoScales ? 2 * g + half : g;
        const Lanes number = numbers_of(codes, half, part) * block.scale(i);
        store(to + g * kGroup + v * KVMESH_LANES, B::kHasLeast ? number + block.least(i) : number);
      }
    }
  }
}
template <class T>
void widen_all(const std::uint8_t* from, std::int64_t count, float* to) {
  const T* elements = reinterpret_cast<const T*>(from);
  std::int64_t i = 0;
  for (; i + KVMESH_LANES <= count; i += KVMESH_LANES) store(to + i, load(elements + i));
  if (i < count) store_some(to + i, load_some(elements + i, count - i), count - i);
}

/// Numbers of a row, or of whole blocks of it.
KVMESH_INLINE void dequantise_row(StoredDtype dtype, const std::uint8_t* from, std::int64_t count, float* to) {
  if (dtype == StoredDtype::kFloat) std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  else if (dtype == StoredDtype::kHalf) widen_all<Fp16>(from, count, to);
  else if (dtype == StoredDtype::kBFloat16) widen_all<Bf16>(from, count, to);
  else with_block_of(dtype, [&]<StoredDtype kDtype>() { dequantise_blocks<kDtype>(from, count, to); });
}

inline void dequantise(const Dequantise& task, Range rows) {
  for (std::int64_t r = rows.begin; r < rows.end; ++r)
    dequantise_row(task.dtype, reinterpret_cast<const std::uint8_t*>(task.rows) + r * task.row_bytes, task.width,
                   task.output + place_of(r, task.interleaved) * task.width);
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

#pragma once

// The product of a few rows with quantised weights by products of whole numbers. Activations are made 16-bit numbers,
// 32 to a scale, which are multiplied as two of 8 bits: q = 256 high + low. With number = (code - kZero) * scale +
// least and activation = a * q, a group's product is a * scale * sum(code * q) + (least - kZero * scale) * a * sum(q),
// and the sums of q are made once for all weights.

#include "llm/kernels/blocks.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

typedef std::int32_t EightInts __attribute__((vector_size(32)));

KVMESH_INLINE float sum_of_eight(EightFloats v) {
  return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
}

/// sum + of each four neighbours the sum of products.
KVMESH_INLINE EightInts add_codes(EightInts sum, Bytes codes, SignedBytes q) {
#ifdef KVMESH_DOT_INT8
  return (EightInts)_mm256_dpbusd_epi32((__m256i)sum, (__m256i)codes, (__m256i)q);
#elif KVMESH_LANES > 4
  const __m256i pairs = _mm256_maddubs_epi16((__m256i)codes, (__m256i)q);  // codes up to 128: nothing overflows
  return sum + (EightInts)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#else
  for (int i = 0; i < 8; ++i)
    for (int j = 4 * i; j < 4 * i + 4; ++j) sum[i] += static_cast<std::int32_t>(codes[j]) * q[j];
  return sum;
#endif
}
/// The same of codes that have a sign; q is above -128.
KVMESH_INLINE EightInts add_codes(EightInts sum, SignedBytes codes, SignedBytes q) {
#if KVMESH_LANES > 4
  const auto sizes = (Bytes)_mm256_abs_epi8((__m256i)codes);
  return add_codes(sum, sizes, (SignedBytes)_mm256_sign_epi8((__m256i)q, (__m256i)codes));
#else
  for (int i = 0; i < 8; ++i)
    for (int j = 4 * i; j < 4 * i + 4; ++j) sum[i] += static_cast<std::int32_t>(codes[j]) * q[j];
  return sum;
#endif
}

/// What the block's least numbers and zeros add to the product with a row of activations.
template <class B>
KVMESH_INLINE float rest_of(const B& block, const float* sums, const float* half_sums) {
  if constexpr (!B::kHasLeast && B::kZero == 0) {
    return 0;
  } else if constexpr (B::kGroups == 1) {
    return (block.least(0) - B::kZero * block.scale(0)) * sums[0];
  } else {
    const float* of = B::kTwoScales ? half_sums : sums;
    EightFloats rest = {};
#pragma GCC unroll 2
    for (int i = 0; i < (B::kTwoScales ? 16 : 8); i += 8) {
      if constexpr (B::kHasLeast) rest += at<EightFloats>(block.leasts + i) * at<EightFloats>(of + i);
      else rest -= at<EightFloats>(block.scales + i) * B::kZero * at<EightFloats>(of + i);
    }
    return sum_of_eight(rest);
  }
}

/// One weight row against R rows of activations.
template <StoredDtype kDtype, int R>
KVMESH_INLINE void rounded_row(const StoredRows& task, const std::uint8_t* row, std::int64_t first, float* output) {
  using B = Block<kDtype>;
  const std::int64_t width = task.width, groups = width / kGroup;
  const std::int8_t *high = task.high + first * width, *low = task.low + first * width;
  const float* scales = task.scales + first * groups;
  const float* sums = task.sums + first * groups;
  const float* half_sums = task.half_sums + first * 2 * groups;
  EightFloats products[R][2] = {};
  float rest[R] = {};
  for (std::int64_t group = 0; group < groups; group += B::kGroups, row += B::kBytes) {
    const B block(row);
    for (int r = 0; r < R; ++r)
      rest[r] += rest_of(block, sums + r * groups + group, half_sums + 2 * (r * groups + group));
#pragma GCC unroll 8
    for (int g = 0; g < B::kGroups; ++g) {
      const auto codes = block.codes(g);
      EightFloats scale;
      if constexpr (B::kTwoScales) {
        const float a = block.scale(2 * g), b = block.scale(2 * g + 1);
        scale = EightFloats{a, a, a, a, b, b, b, b};
      } else {
        scale = block.scale(g) - EightFloats{};
      }
      for (int r = 0; r < R; ++r) {
        const std::int64_t place = r * width + (group + g) * kGroup;
        const EightInts upper = add_codes(EightInts{}, codes, at<SignedBytes>(high + place));
        const EightInts whole = add_codes(upper << 8, codes, at<SignedBytes>(low + place));
        const EightFloats sum = __builtin_convertvector(whole, EightFloats);
        products[r][g % 2] += sum * (scale * scales[r * groups + group + g]);
      }
    }
  }
  for (int r = 0; r < R; ++r) output[r * task.outputs] = sum_of_eight(products[r][0] + products[r][1]) + rest[r];
}

template <StoredDtype kDtype>
void rounded_rows_of(const StoredRows& task, const std::uint8_t* row, float* output) {
  constexpr int kTogether = 4;
  std::int64_t r = 0;
  for (; r + kTogether <= task.rows; r += kTogether)
    rounded_row<kDtype, kTogether>(task, row, r, output + r * task.outputs);
  for (; r < task.rows; ++r) rounded_row<kDtype, 1>(task, row, r, output + r * task.outputs);
}

/// False where the dtype is not quantised.
KVMESH_INLINE bool rounded_row(const StoredRows& task, StoredDtype dtype, const std::uint8_t* row, float* output) {
  return with_block_of(dtype, [&]<StoredDtype kDtype>() { rounded_rows_of<kDtype>(task, row, output); });
}

/// Activations as 16-bit numbers. Parts are groups of 32.
inline void round_activations(const RoundActivations& task, Range groups) {
  constexpr float kMost = 127 * 256;
  for (std::int64_t group = groups.begin; group < groups.end; ++group) {
    const float* x = task.input + group * kGroup;
    std::int8_t *high = task.high + group * kGroup, *low = task.low + group * kGroup;
    Lanes most = {};
    for (int i = 0; i < kGroup; i += KVMESH_LANES) {
      const Lanes v = load(x + i);
      most = larger(most, larger(v, -v));
    }
    const float greatest = largest_of(most), scale = greatest / kMost;
    const float inverse = greatest > 1e-30f ? kMost / greatest : 0;  // what is smaller is nothing
    int sums[2] = {};
    for (int i = 0; i < kGroup; ++i) {
      const float scaled = x[i] * inverse;
      const int q = static_cast<int>(scaled + (scaled < 0 ? -0.5f : 0.5f));
      const int upper = (q + 128) >> 8, rest = q - upper * 256, lower = rest < -127 ? -127 : rest;
      high[i] = static_cast<std::int8_t>(upper);
      low[i] = static_cast<std::int8_t>(lower);
      sums[i / (kGroup / 2)] += upper * 256 + lower;
    }
    task.scales[group] = scale;
    task.half_sums[2 * group] = scale * static_cast<float>(sums[0]);
    task.half_sums[2 * group + 1] = scale * static_cast<float>(sums[1]);
    task.sums[group] = scale * static_cast<float>(sums[0] + sums[1]);
  }
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

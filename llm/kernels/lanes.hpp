#pragma once

// Vectors of fp32, written once for every instruction set.

#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/kernels.hpp"
#include "llm/kernels/tasks.hpp"

#if KVMESH_LANES > 4
#include <immintrin.h>
#endif

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

constexpr std::int64_t kLanes = KVMESH_LANES;

typedef float Lanes __attribute__((vector_size(4 * KVMESH_LANES)));
typedef std::int32_t IntLanes __attribute__((vector_size(4 * KVMESH_LANES)));
typedef std::uint32_t BitLanes __attribute__((vector_size(4 * KVMESH_LANES)));
typedef std::uint16_t HalfLanes __attribute__((vector_size(2 * KVMESH_LANES)));

KVMESH_INLINE Lanes all(float x) { return x - Lanes{}; }

KVMESH_INLINE Lanes load(const float* from) {
  Lanes v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
KVMESH_INLINE Lanes load(const Bf16* from) {
  HalfLanes half;
  std::memcpy(&half, from, sizeof half);
  return (Lanes)(__builtin_convertvector(half, BitLanes) << 16);
}

KVMESH_INLINE Lanes load(const Fp16* from) {
#if KVMESH_LANES == 16
  return (Lanes)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#elif KVMESH_LANES == 8
  return (Lanes)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#else
  HalfLanes half;
  std::memcpy(&half, from, sizeof half);
  const BitLanes bits = __builtin_convertvector(half, BitLanes);
  // The exponent is re-biased by a multiplication, which gets subnormal numbers right too.
  const BitLanes finite = (BitLanes)((Lanes)((bits & 0x7fff) << 13) * 0x1p112f);
  const BitLanes not_finite = (BitLanes)((bits & 0x7c00) == 0x7c00) & 0x7f800000;
  return (Lanes)(finite | not_finite | (bits & 0x8000) << 16);
#endif
}

/// The bits of a bf16 in the low half, rounded to nearest even; a NaN stays one.
KVMESH_INLINE BitLanes rounded(Lanes v) {
  const BitLanes bits = (BitLanes)v;
  const BitLanes nearest = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const BitLanes is_nan = (BitLanes)(v != v);
  return (nearest & ~is_nan) | (is_nan & 0x7fc0);
}

KVMESH_INLINE void store(float* to, Lanes v) { std::memcpy(to, &v, sizeof v); }
KVMESH_INLINE void store(Bf16* to, Lanes v) {
  const HalfLanes half = __builtin_convertvector(rounded(v), HalfLanes);
  std::memcpy(to, &half, sizeof half);
}

KVMESH_INLINE void store(Fp16* to, Lanes v) {
#if KVMESH_LANES == 16
  const __m256i half = _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT);
#elif KVMESH_LANES == 8
  const __m128i half = _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT);
#else
  const BitLanes sign = (BitLanes)v & 0x80000000u, size = (BitLanes)v ^ sign;
  // Below the normal numbers the addition of 1/2 rounds at the last place of a subnormal one.
  const BitLanes subnormal = (BitLanes)((Lanes)size + 0.5f) - 0x3f000000;
  const BitLanes normal = (size - 0x38000000 + 0xfff + ((size >> 13) & 1)) >> 13;
  const BitLanes is_small = (BitLanes)(size < 0x38800000);
  const BitLanes is_large = (BitLanes)(size >= 0x477ff000);  // rounds to 65536 or more
  const BitLanes is_nan = (BitLanes)(v != v);
  const BitLanes finite = (subnormal & is_small) | (normal & ~is_small);
  const BitLanes infinite_or_nan = 0x7c00 | (is_nan & 0x0200);
  const BitLanes bits = sign >> 16 | (finite & ~is_large) | (infinite_or_nan & is_large);
  const HalfLanes half = __builtin_convertvector(bits, HalfLanes);
#endif
  std::memcpy(to, &half, sizeof half);
}

/// v as it would be read back after a store.
KVMESH_INLINE Lanes as_stored(const float*, Lanes v) { return v; }
KVMESH_INLINE Lanes as_stored(const Bf16*, Lanes v) { return (Lanes)(rounded(v) << 16); }
KVMESH_INLINE Lanes as_stored(const Fp16*, Lanes v) {
  Fp16 stored[kLanes];
  store(stored, v);
  return load(stored);
}

/// The first `count` elements, zeros behind; for what is left at the end of a row.
template <class T>
KVMESH_INLINE Lanes load_some(const T* from, std::int64_t count) {
  T some[kLanes] = {};
  std::memcpy(some, from, static_cast<std::size_t>(count) * sizeof(T));
  return load(some);
}
template <class T>
KVMESH_INLINE void store_some(T* to, Lanes v, std::int64_t count) {
  T some[kLanes];
  store(some, v);
  std::memcpy(to, some, static_cast<std::size_t>(count) * sizeof(T));
}

KVMESH_INLINE Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }
KVMESH_INLINE Lanes smaller(Lanes a, Lanes b) { return a < b ? a : b; }

KVMESH_INLINE float sum_of(Lanes v) {
#if KVMESH_LANES == 16
  return _mm512_reduce_add_ps((__m512)v);
#else
  float sums[kLanes];
  store(sums, v);
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2)
    for (std::int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
#endif
}

KVMESH_INLINE float largest_of(Lanes v) {
#if KVMESH_LANES == 16
  return _mm512_reduce_max_ps((__m512)v);
#else
  float most[kLanes];
  store(most, v);
  for (std::int64_t i = 1; i < kLanes; ++i) most[0] = most[i] > most[0] ? most[i] : most[0];
  return most[0];
#endif
}

/// e^x to within 2 units in the last place; 0 below the normal numbers; NaN stays. x = n ln 2 + r, |r| <= ln 2 / 2, and
/// a polynomial for e^r (the coefficients of Cephes' expf, S. Moshier).
KVMESH_INLINE Lanes exponential(Lanes x) {
  const Lanes bounded = smaller(larger(x, all(-87.0f)), all(88.0f));
  const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const Lanes shifted = bounded * 1.44269504088896341f + shift;
  const Lanes n = shifted - shift;
  const Lanes r = bounded - n * 0.693359375f + n * 2.12194440e-4f;
  Lanes p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntLanes exponent = __builtin_convertvector(n, IntLanes) + 127;
  const Lanes power = (Lanes)(exponent << 23);
  const Lanes result = x < -87.0f ? Lanes{} : p * power;
  return x == x ? result : x;
}

/// tanh(x) = 1 - 2 / (e^2x + 1).
KVMESH_INLINE Lanes hyperbolic_tangent(Lanes x) { return 1.0f - 2.0f / (exponential(x + x) + 1.0f); }

/// Elements of a row as one multiply-add takes them.
template <class T>
struct Run;

template <>
struct Run<float> {
  static constexpr std::int64_t kElements = kLanes;
  Lanes v;
  KVMESH_INLINE static Run at(const float* from) { return {load(from)}; }
};
template <>
struct Run<Fp16> {
  static constexpr std::int64_t kElements = kLanes;
  Lanes v;
  KVMESH_INLINE static Run at(const Fp16* from) { return {load(from)}; }
};
template <class T>
KVMESH_INLINE Lanes multiply_add(Lanes sum, Run<T> a, Run<T> b) {
  return sum + a.v * b.v;
}

#ifdef KVMESH_DOT_BF16
template <>
struct Run<Bf16> {
  static constexpr std::int64_t kElements = 2 * kLanes;
  __m512bh v;
  KVMESH_INLINE static Run at(const Bf16* from) { return {(__m512bh)_mm512_loadu_si512(from)}; }
};
KVMESH_INLINE Lanes multiply_add(Lanes sum, Run<Bf16> a, Run<Bf16> b) {
  return (Lanes)_mm512_dpbf16_ps((__m512)sum, a.v, b.v);
}
#else
template <>
struct Run<Bf16> {
  static constexpr std::int64_t kElements = 2 * kLanes;
  Lanes even, odd;
  KVMESH_INLINE static Run at(const Bf16* from) {
    BitLanes pairs;
    std::memcpy(&pairs, from, sizeof pairs);
    return {(Lanes)(pairs << 16), (Lanes)(pairs & 0xffff0000u)};
  }
};
KVMESH_INLINE Lanes multiply_add(Lanes sum, Run<Bf16> a, Run<Bf16> b) {
  sum = sum + a.even * b.even;
  return sum + a.odd * b.odd;
}
#endif

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

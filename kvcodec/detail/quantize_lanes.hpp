#pragma once

// Vectors of N numbers for quantize_kernels.cpp: GCC's own, which become those of the instruction set that it is
// compiled for, and for N = 1 plain numbers. Each lane gets the bits that a plain number would.

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/kernels.hpp"

#if KVMESH_LANES > 4
#include <immintrin.h>
#endif

KVMESH_BEGIN_KERNELS
namespace kvmesh::kvcodec::KVMESH_KERNELS {

/// Numbers of fp32 in a vector. The portable kernels take one by one: what all others are held to.
constexpr int kLanes = KVMESH_LANES == 4 ? 1 : KVMESH_LANES;

template <typename T, int N>
struct VectorOf {
  typedef T type __attribute__((vector_size(sizeof(T) * N)));
};
template <typename T>
struct VectorOf<T, 1> {
  using type = T;
};
template <typename T, int N>
using Lanes = typename VectorOf<T, N>::type;

template <typename To, typename From>
KVMESH_INLINE To convert(From x) {
  if constexpr (std::is_arithmetic_v<To>) return static_cast<To>(x);
  else return __builtin_convertvector(x, To);
}

// Whole numbers of 8 and 16 bits to 32 and back; those of GCC 12 take many instructions where one will do.
template <int N, typename Narrow>
KVMESH_INLINE Lanes<std::uint32_t, N> widen(Narrow x) {
#if KVMESH_LANES == 16
  if constexpr (sizeof(Narrow) == 16) return (Lanes<std::uint32_t, N>)_mm512_cvtepu8_epi32((__m128i)x);
  else if constexpr (sizeof(Narrow) == 32) return (Lanes<std::uint32_t, N>)_mm512_cvtepu16_epi32((__m256i)x);
  else return convert<Lanes<std::uint32_t, N>>(x);
#elif KVMESH_LANES == 8
  if constexpr (sizeof(Narrow) == 8)
    return (Lanes<std::uint32_t, N>)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(std::bit_cast<long long>(x)));
  else if constexpr (sizeof(Narrow) == 16) return (Lanes<std::uint32_t, N>)_mm256_cvtepu16_epi32((__m128i)x);
  else return convert<Lanes<std::uint32_t, N>>(x);
#else
  return convert<Lanes<std::uint32_t, N>>(x);
#endif
}
template <typename T, int N, typename Wide>
KVMESH_INLINE Lanes<T, N> narrow(Wide x) {
#if KVMESH_LANES == 16
  if constexpr (N == 16 && sizeof(T) == 1) return (Lanes<T, N>)_mm512_cvtepi32_epi8((__m512i)x);
  else if constexpr (N == 16) return (Lanes<T, N>)_mm512_cvtepi32_epi16((__m512i)x);
  else return convert<Lanes<T, N>>(x);
#elif KVMESH_LANES == 8
  if constexpr (N == 8) {
    const __m128i halves =
        _mm_packus_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    if constexpr (sizeof(T) == 2) return (Lanes<T, N>)halves;
    else return std::bit_cast<Lanes<T, N>>(_mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)));
  } else {
    return convert<Lanes<T, N>>(x);
  }
#else
  return convert<Lanes<T, N>>(x);
#endif
}

template <typename Vector>
KVMESH_INLINE Vector read(const void* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

template <typename Vector>
KVMESH_INLINE void write(Vector vector, void* to) {
  std::memcpy(to, &vector, sizeof vector);
}

/// True where a comparison holds in every lane.
template <int N, typename Comparison>
KVMESH_INLINE bool all(Comparison holds) {
  if constexpr (N == 1) {
    return holds;
  } else {
    bool every = true;
    for (int i = 0; i < N; ++i) every = every && holds[i];
    return every;
  }
}

/// One number out of all lanes: folds halves onto each other.
template <int N, typename Vector, typename Fold>
KVMESH_INLINE auto fold(Vector x, Fold fold_two) {
  if constexpr (N == 1) {
    return x;
  } else {
    struct Halves {
      Lanes<std::remove_cvref_t<decltype(x[0])>, N / 2> low, high;
    };
    const auto halves = std::bit_cast<Halves>(x);
    return fold<N / 2>(fold_two(halves.low, halves.high), fold_two);
  }
}

template <int N>
KVMESH_INLINE Lanes<float, N> float_of_bf16(Lanes<std::uint16_t, N> bf16) {
  return std::bit_cast<Lanes<float, N>>(widen<N>(bf16) << 16);
}

template <int N>
KVMESH_INLINE Lanes<float, N> load(const std::uint16_t* bf16) {
  return float_of_bf16<N>(read<Lanes<std::uint16_t, N>>(bf16));
}
template <int N>
KVMESH_INLINE Lanes<float, N> load(const float* fp32) {
  return read<Lanes<float, N>>(fp32);
}

/// bf16: rounded to nearest, ties to even. x is finite.
template <int N>
KVMESH_INLINE void store(Lanes<float, N> x, std::uint16_t* bf16) {
  const auto bits = std::bit_cast<Lanes<std::uint32_t, N>>(x);
  write(narrow<std::uint16_t, N>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16), bf16);
}
template <int N>
KVMESH_INLINE void store(Lanes<float, N> x, float* fp32) {
  write(x, fp32);
}

/// fp16 in whole numbers, as detail/half.hpp has it for one.
template <int N>
KVMESH_INLINE Lanes<float, N> float_of_half(Lanes<std::uint32_t, N> half) {
  const auto magnitude = std::bit_cast<Lanes<float, N>>((half & 0x7fffU) << 13) * 0x1p112F;
  return std::bit_cast<Lanes<float, N>>(std::bit_cast<Lanes<std::uint32_t, N>>(magnitude) | (half & 0x8000U) << 16);
}
/// The next fp16 number from `magnitude`, at most kHalfMax, towards zero, and away from it.
template <int N>
KVMESH_INLINE Lanes<std::uint32_t, N> cut_to_half(Lanes<float, N> magnitude) {
  return std::bit_cast<Lanes<std::uint32_t, N>>(magnitude * 0x1p-112F) >> 13;
}
template <int N>
KVMESH_INLINE Lanes<std::uint32_t, N> raise_to_half(Lanes<float, N> magnitude) {
  const auto half = cut_to_half<N>(magnitude);
  return float_of_half<N>(half) < magnitude ? half + 1U : half;
}

/// A number's bits as a whole number in the same order, with NaN beyond the infinities: so a group's least and greatest
/// say too whether all of it are numbers, and twice as many of bf16 fit into a vector.
template <typename Element>
using Order = std::conditional_t<sizeof(Element) == 2, std::int16_t, std::int32_t>;
template <typename Element>
constexpr int kOrderLanes = kLanes == 1 ? 1 : kLanes * 4 / static_cast<int>(sizeof(Element));

template <int N, typename Element>
KVMESH_INLINE Lanes<Order<Element>, N> exchange_order(Lanes<Order<Element>, N> bits) {
  constexpr Order<Element> kMagnitude = std::numeric_limits<Order<Element>>::max();
  return static_cast<Lanes<Order<Element>, N>>(bits ^ ((bits >> (8 * sizeof(Element) - 1)) & kMagnitude));
}
template <int N, typename Element>
KVMESH_INLINE Lanes<Order<Element>, N> order_of(const Element* x) {
  return exchange_order<N, Element>(read<Lanes<Order<Element>, N>>(x));
}
/// The inverse, which is the same exchange.
template <int N, typename Element>
KVMESH_INLINE Lanes<float, N> number(const Order<Element>* order) {
  const auto bits = exchange_order<N, Element>(read<Lanes<Order<Element>, N>>(order));
  if constexpr (sizeof(Element) == 2) return float_of_bf16<N>(std::bit_cast<Lanes<std::uint16_t, N>>(bits));
  else return std::bit_cast<Lanes<float, N>>(bits);
}

}  // namespace kvmesh::kvcodec::KVMESH_KERNELS
KVMESH_END_KERNELS

#pragma once

#include <bit>
#include <cstdint>

/// fp16 and bf16 in integer arithmetic alone, so that every processor gives the same bits.
namespace kvmesh::kvcodec::detail {

inline constexpr float kHalfMax = 65504.0F;

inline float float_of_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  // The exponent is re-biased by a multiplication, which gets subnormal numbers right too.
  const float magnitude = std::bit_cast<float>(static_cast<std::uint32_t>(half & 0x7fffU) << 13) * 0x1p112F;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
}

/// `magnitude` in [0, kHalfMax], cut off to the next fp16 number towards zero.
inline std::uint16_t cut_to_half(float magnitude) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(magnitude * 0x1p-112F) >> 13);
}

/// The greatest fp16 number that is not above x; |x| <= kHalfMax.
inline std::uint16_t half_at_most(float x) {
  if (x >= 0) return cut_to_half(x);
  std::uint16_t half = cut_to_half(-x);
  if (float_of_half(half) < -x) ++half;
  return static_cast<std::uint16_t>(half | 0x8000U);
}

/// The least fp16 number that is not below x; 0 <= x <= kHalfMax.
inline std::uint16_t half_at_least(float x) {
  std::uint16_t half = cut_to_half(x);
  if (float_of_half(half) < x) ++half;
  return half;
}

inline float float_of_bf16(std::uint16_t bf16) { return std::bit_cast<float>(static_cast<std::uint32_t>(bf16) << 16); }

/// Rounded to nearest, ties to even. x is finite.
inline std::uint16_t bf16_of_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace kvmesh::kvcodec::detail

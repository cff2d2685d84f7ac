#pragma once

// What the blocks of quantised weights hold, 16 numbers at a time: number = code * scale (+ least), as ggml defines
// each type (ggml-common.h, ggml-quants.c). A code is a small whole number, the product is exact in fp32, and the sum
// is rounded once: fused or not, the numbers are the reference's bit for bit.

#include "llm/kernels/lanes.hpp"
#include "llm/model/stored_dtype.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

constexpr int kPiece = 16;  ///< numbers that are taken at once; they share their scale in every type

typedef std::uint8_t Bytes __attribute__((vector_size(kPiece)));
typedef std::int8_t Codes __attribute__((vector_size(kPiece)));
typedef float EightFloats __attribute__((vector_size(32)));
typedef std::uint8_t EightBytes __attribute__((vector_size(8)));

KVMESH_INLINE Bytes bytes_at(const std::uint8_t* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

KVMESH_INLINE float half_at(const std::uint8_t* from) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
#if KVMESH_LANES > 4
  return _cvtsh_ss(bits);
#else
  const auto half = static_cast<Fp16>(bits);
  return load_some(&half, 1)[0];
#endif
}

/// `part` of the codes, kLanes of them.
KVMESH_INLINE Lanes numbers_of(Codes codes, int part) {
#if KVMESH_LANES == 16
  (void)part;
  return (Lanes)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32((__m128i)codes));
#elif KVMESH_LANES == 8
  const __m128i half = part == 0 ? (__m128i)codes : _mm_srli_si128((__m128i)codes, 8);
  return (Lanes)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(half));
#else
  Lanes numbers;
  for (int i = 0; i < KVMESH_LANES; ++i) numbers[i] = static_cast<float>(codes[part * KVMESH_LANES + i]);
  return numbers;
#endif
}

KVMESH_INLINE Codes low(Bytes bytes) { return (Codes)(bytes & 15); }
KVMESH_INLINE Codes high(Bytes bytes) { return (Codes)(bytes >> 4); }

/// Of 32 numbers, the fifth bits of piece `i`, as 0 or 16.
KVMESH_INLINE Codes fifth_bits(const std::uint8_t* bits, int i) {
  const std::uint64_t each = 0x0101010101010101u;
  const std::uint64_t spread[2] = {bits[2 * i] * each, bits[2 * i + 1] * each};
  Bytes bytes;
  std::memcpy(&bytes, spread, sizeof bytes);
  const Bytes place = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  return (Codes)((bytes & place) != 0) & 16;
}

template <StoredDtype>
struct Block;

/// Types of 32 numbers with a scale of their own.
template <int kHeader, bool kLeast>
struct SmallBlock {
  static constexpr int kPieces = 2;
  static constexpr bool kHasLeast = kLeast;
  KVMESH_INLINE explicit SmallBlock(const std::uint8_t* at) : bytes(at + kHeader), d(half_at(at)) {
    if constexpr (kLeast) m = half_at(at + 2);
  }
  KVMESH_INLINE float scale(int) const { return d; }
  KVMESH_INLINE float least(int) const { return m; }
  const std::uint8_t* bytes;
  float d, m = 0;
};

template <>
struct Block<StoredDtype::kQ4_0> : SmallBlock<2, false> {
  static constexpr int kBytes = 18;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SmallBlock(at) {}
  KVMESH_INLINE Codes codes(int i) const { return (i == 0 ? low(bytes_at(bytes)) : high(bytes_at(bytes))) - 8; }
};

template <>
struct Block<StoredDtype::kQ4_1> : SmallBlock<4, true> {
  static constexpr int kBytes = 20;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SmallBlock(at) {}
  KVMESH_INLINE Codes codes(int i) const { return i == 0 ? low(bytes_at(bytes)) : high(bytes_at(bytes)); }
};

template <>
struct Block<StoredDtype::kQ5_0> : SmallBlock<2, false> {
  static constexpr int kBytes = 22;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SmallBlock(at) {}
  KVMESH_INLINE Codes codes(int i) const {
    const Bytes four = bytes_at(bytes + 4);
    return ((i == 0 ? low(four) : high(four)) | fifth_bits(bytes, i)) - 16;
  }
};

template <>
struct Block<StoredDtype::kQ5_1> : SmallBlock<4, true> {
  static constexpr int kBytes = 24;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SmallBlock(at) {}
  KVMESH_INLINE Codes codes(int i) const {
    const Bytes four = bytes_at(bytes + 4);
    return (i == 0 ? low(four) : high(four)) | fifth_bits(bytes, i);
  }
};

template <>
struct Block<StoredDtype::kQ8_0> : SmallBlock<2, false> {
  static constexpr int kBytes = 34;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SmallBlock(at) {}
  KVMESH_INLINE Codes codes(int i) const { return (Codes)bytes_at(bytes + kPiece * i); }
};

template <>
struct Block<StoredDtype::kIQ4_NL> : SmallBlock<2, false> {
  static constexpr int kBytes = 18;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SmallBlock(at) {}
  KVMESH_INLINE Codes codes(int i) const {
    const Codes table = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    return __builtin_shuffle(table, i == 0 ? low(bytes_at(bytes)) : high(bytes_at(bytes)));
  }
};

/// Types of 256 numbers in 16 pieces, each with a scale of its own; kShared pieces after one another have the same.
template <int kShared, bool kLeast>
struct LargeBlock {
  static constexpr int kPieces = 16;
  static constexpr bool kHasLeast = kLeast;
  KVMESH_INLINE float scale(int i) const { return scales[i / kShared]; }
  KVMESH_INLINE float least(int i) const { return leasts[i / kShared]; }

  /// scales[8 * g ...] = d times eight codes.
  KVMESH_INLINE static void set(float* to, EightBytes codes, float d) {
    const EightFloats eight = __builtin_convertvector(codes, EightFloats) * d;
    std::memcpy(to, &eight, sizeof eight);
  }
  float scales[kPieces / kShared];
  float leasts[kPieces / kShared];
};

KVMESH_INLINE EightBytes eight(std::uint64_t bits) {
  EightBytes bytes;
  std::memcpy(&bytes, &bits, sizeof bytes);
  return bytes;
}
KVMESH_INLINE std::uint32_t word_at(const std::uint8_t* from) {
  std::uint32_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// Q4_K and Q5_K: eight scales and eight least numbers of 6 bits in 12 bytes.
struct SixBitScales : LargeBlock<2, true> {
  KVMESH_INLINE explicit SixBitScales(const std::uint8_t* at) {
    const std::uint32_t a = word_at(at + 4), b = word_at(at + 8), c = word_at(at + 12);
    const std::uint64_t upper_scales = (c & 0x0f0f0f0f) | ((a >> 2) & 0x30303030);
    const std::uint64_t upper_leasts = ((c >> 4) & 0x0f0f0f0f) | ((b >> 2) & 0x30303030);
    set(scales, eight((a & 0x3f3f3f3f) | upper_scales << 32), half_at(at));
    set(leasts, eight((b & 0x3f3f3f3f) | upper_leasts << 32), -half_at(at + 2));
  }
};

template <>
struct Block<StoredDtype::kQ4_K> : SixBitScales {
  static constexpr int kBytes = 144;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SixBitScales(at), bytes(at + 16) {}
  KVMESH_INLINE Codes codes(int i) const {
    const Bytes four = bytes_at(bytes + i / 4 * 32 + i % 2 * kPiece);
    return i % 4 < 2 ? low(four) : high(four);
  }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ5_K> : SixBitScales {
  static constexpr int kBytes = 176;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : SixBitScales(at), bytes(at + 16) {}
  KVMESH_INLINE Codes codes(int i) const {
    const Bytes four = bytes_at(bytes + 32 + i / 4 * 32 + i % 2 * kPiece);
    const Bytes fifth = (bytes_at(bytes + i % 2 * kPiece) >> (i / 2)) & 1;
    return (i % 4 < 2 ? low(four) : high(four)) | (Codes)(fifth << 4);
  }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ6_K> : LargeBlock<1, false> {
  static constexpr int kBytes = 210;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : bytes(at) {
    const float d = half_at(at + 208);
    for (int i = 0; i < kPieces; ++i) scales[i] = d * static_cast<float>(static_cast<std::int8_t>(at[192 + i]));
  }
  KVMESH_INLINE Codes codes(int i) const {
    const Bytes four = bytes_at(bytes + i / 8 * 64 + i / 2 % 2 * 32 + i % 2 * kPiece);
    const Bytes two = (bytes_at(bytes + 128 + i / 8 * 32 + i % 2 * kPiece) >> (i / 2 % 4 * 2)) & 3;
    return ((i % 8 < 4 ? low(four) : high(four)) | (Codes)(two << 4)) - 32;
  }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ2_K> : LargeBlock<1, true> {
  static constexpr int kBytes = 84;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : bytes(at + 16) {
    const float d = half_at(at + 80), m = -half_at(at + 82);
    for (int i = 0; i < kPieces; ++i) {
      scales[i] = d * static_cast<float>(at[i] & 15);
      leasts[i] = m * static_cast<float>(at[i] >> 4);
    }
  }
  KVMESH_INLINE Codes codes(int i) const {
    return (Codes)((bytes_at(bytes + i / 8 * 32 + i % 2 * kPiece) >> (i / 2 % 4 * 2)) & 3);
  }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ3_K> : LargeBlock<1, false> {
  static constexpr int kBytes = 110;
  KVMESH_INLINE explicit Block(const std::uint8_t* at) : bytes(at) {
    const float d = half_at(at + 108);
    const std::uint8_t *fours = at + 96, *twos = at + 104;
    for (int i = 0; i < kPieces; ++i) {
      const int four = i < 8 ? fours[i] & 15 : fours[i - 8] >> 4;
      const int two = (twos[i % 4] >> (i / 4 * 2)) & 3;
      scales[i] = d * static_cast<float>((four | two << 4) - 32);
    }
  }
  KVMESH_INLINE Codes codes(int i) const {
    const Bytes two = (bytes_at(bytes + 32 + i / 8 * 32 + i % 2 * kPiece) >> (i / 2 % 4 * 2)) & 3;
    const Bytes third = (bytes_at(bytes + i % 2 * kPiece) >> (i / 2)) & 1;
    return (Codes)(two | third << 2) - 4;
  }
  const std::uint8_t* bytes;
};

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

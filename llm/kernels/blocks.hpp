#pragma once

// What the blocks of quantised weights hold, 32 numbers at a time: number = (code - kZero) * scale (+ least), as ggml
// defines each type (ggml-common.h, ggml-quants.c). A code is a small whole number, the product is exact in fp32, and
// the sum is rounded once: fused or not, the numbers are the reference's bit for bit.

#include "llm/kernels/lanes.hpp"
#include "llm/model/stored_dtype.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

constexpr int kGroup = 32;  ///< numbers that are taken at once; each half of them shares its scale in every type

typedef std::uint8_t Bytes __attribute__((vector_size(kGroup)));
typedef std::int8_t SignedBytes __attribute__((vector_size(kGroup)));
typedef std::uint8_t HalfBytes __attribute__((vector_size(kGroup / 2)));
typedef std::int8_t SignedHalfBytes __attribute__((vector_size(kGroup / 2)));
typedef float EightFloats __attribute__((vector_size(32)));
typedef std::uint8_t EightBytes __attribute__((vector_size(8)));
typedef std::int8_t EightSignedBytes __attribute__((vector_size(8)));

template <class V>
KVMESH_INLINE V at(const void* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

struct TwoFloats {
  float first, second;
};
/// Two halves, one behind the other.
KVMESH_INLINE TwoFloats halves_at(const std::uint8_t* from) {
#if KVMESH_LANES > 4
  const __m128 both = _mm_cvtph_ps(_mm_cvtsi32_si128(at<int>(from)));
  return {both[0], both[1]};
#else
  Fp16 both[2];
  std::memcpy(both, from, sizeof both);
  const Lanes lanes = load_some(both, 2);
  return {lanes[0], lanes[1]};
#endif
}

/// 32 codes of 4 bits: the low ones of 16 bytes, then the high ones.
KVMESH_INLINE Bytes fours_at(const std::uint8_t* from) {
#if KVMESH_LANES > 4
  typedef std::uint32_t Words __attribute__((vector_size(kGroup)));
  const auto twice = (Words)_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return (Bytes)(twice >> Words{0, 0, 0, 0, 4, 4, 4, 4}) & 15;
#else
  const auto bytes = at<HalfBytes>(from);
  const HalfBytes both[2] = {bytes & 15, bytes >> 4};
  return at<Bytes>(both);
#endif
}

/// 32 bits as 0 or 16 in as many bytes.
KVMESH_INLINE Bytes fifths_at(const std::uint8_t* from) {
  const Bytes place = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                       1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
#if KVMESH_LANES > 4
  const __m256i byte =
      _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const auto spread = (Bytes)_mm256_shuffle_epi8(_mm256_set1_epi32(at<int>(from)), byte);
#else
  const std::uint64_t each = 0x0101010101010101u;
  const std::uint64_t four[4] = {from[0] * each, from[1] * each, from[2] * each, from[3] * each};
  const auto spread = at<Bytes>(four);
#endif
  return (Bytes)((spread & place) == place) & 16;
}

template <StoredDtype>
struct Block;

/// Types of 32 numbers. kHeader: bytes before the codes.
template <int kHeader, bool kLeast, int kSubtract>
struct SmallBlock {
  static constexpr int kGroups = 1, kZero = kSubtract;
  static constexpr bool kHasLeast = kLeast, kTwoScales = false;
  KVMESH_INLINE explicit SmallBlock(const std::uint8_t* from) : bytes(from + kHeader) {
    const TwoFloats header = halves_at(from);
    d = header.first;
    m = kLeast ? header.second : 0;
  }
  KVMESH_INLINE float scale(int) const { return d; }
  KVMESH_INLINE float least(int) const { return m; }
  const std::uint8_t* bytes;
  float d, m;
};

template <>
struct Block<StoredDtype::kQ4_0> : SmallBlock<2, false, 8> {
  static constexpr int kBytes = 18;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SmallBlock(from) {}
  KVMESH_INLINE Bytes codes(int) const { return fours_at(bytes); }
};

template <>
struct Block<StoredDtype::kQ4_1> : SmallBlock<4, true, 0> {
  static constexpr int kBytes = 20;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SmallBlock(from) {}
  KVMESH_INLINE Bytes codes(int) const { return fours_at(bytes); }
};

template <>
struct Block<StoredDtype::kQ5_0> : SmallBlock<2, false, 16> {
  static constexpr int kBytes = 22;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SmallBlock(from) {}
  KVMESH_INLINE Bytes codes(int) const { return fours_at(bytes + 4) | fifths_at(bytes); }
};

template <>
struct Block<StoredDtype::kQ5_1> : SmallBlock<4, true, 0> {
  static constexpr int kBytes = 24;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SmallBlock(from) {}
  KVMESH_INLINE Bytes codes(int) const { return fours_at(bytes + 4) | fifths_at(bytes); }
};

/// Codes have a sign already.
template <>
struct Block<StoredDtype::kQ8_0> : SmallBlock<2, false, 0> {
  static constexpr int kBytes = 34;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SmallBlock(from) {}
  KVMESH_INLINE SignedBytes codes(int) const { return at<SignedBytes>(bytes); }
};

template <>
struct Block<StoredDtype::kIQ4_NL> : SmallBlock<2, false, 0> {
  static constexpr int kBytes = 18;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SmallBlock(from) {}
  KVMESH_INLINE SignedBytes codes(int) const {
    const SignedBytes table = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
                               -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
#if KVMESH_LANES > 4
    return (SignedBytes)_mm256_shuffle_epi8((__m256i)table, (__m256i)fours_at(bytes));
#else
    const Bytes index = fours_at(bytes);
    SignedBytes codes;
    for (int i = 0; i < kGroup; ++i) codes[i] = table[index[i]];
    return codes;
#endif
  }
};

/// Types of 256 numbers in 8 groups; kScales scales: one to a group or one to each half of it.
template <int kScales, bool kLeast, int kSubtract>
struct LargeBlock {
  static constexpr int kGroups = 8, kZero = kSubtract;
  static constexpr bool kHasLeast = kLeast, kTwoScales = kScales == 16;
  KVMESH_INLINE float scale(int i) const { return scales[i]; }
  KVMESH_INLINE float least(int i) const { return leasts[i]; }

  /// to[i] = d * code i of eight, bytes.
  KVMESH_INLINE static void set(float* to, std::uint64_t codes, float d) {
    const EightFloats eight = __builtin_convertvector(at<EightBytes>(&codes), EightFloats) * d;
    std::memcpy(to, &eight, sizeof eight);
  }
  KVMESH_INLINE static void set_signed(float* to, EightSignedBytes codes, float d) {
    const EightFloats eight = __builtin_convertvector(codes, EightFloats) * d;
    std::memcpy(to, &eight, sizeof eight);
  }
  float scales[kScales];
  float leasts[kLeast ? kScales : 1];
};

/// Q4_K and Q5_K: eight scales and eight least numbers of 6 bits in 12 bytes.
struct SixBitScales : LargeBlock<8, true, 0> {
  KVMESH_INLINE explicit SixBitScales(const std::uint8_t* from) {
    const auto a = at<std::uint32_t>(from + 4), b = at<std::uint32_t>(from + 8), c = at<std::uint32_t>(from + 12);
    const std::uint64_t upper_scales = (c & 0x0f0f0f0f) | ((a >> 2) & 0x30303030);
    const std::uint64_t upper_leasts = ((c >> 4) & 0x0f0f0f0f) | ((b >> 2) & 0x30303030);
    const TwoFloats header = halves_at(from);
    set(scales, (a & 0x3f3f3f3f) | upper_scales << 32, header.first);
    set(leasts, (b & 0x3f3f3f3f) | upper_leasts << 32, -header.second);
  }
};

template <>
struct Block<StoredDtype::kQ4_K> : SixBitScales {
  static constexpr int kBytes = 144;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SixBitScales(from), bytes(from + 16) {}
  KVMESH_INLINE Bytes codes(int g) const {
    const auto four = at<Bytes>(bytes + g / 2 * 32);
    return g % 2 == 0 ? four & 15 : four >> 4;
  }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ5_K> : SixBitScales {
  static constexpr int kBytes = 176;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : SixBitScales(from), bytes(from + 16) {}
  KVMESH_INLINE Bytes codes(int g) const {
    const auto four = at<Bytes>(bytes + 32 + g / 2 * 32);
    return (g % 2 == 0 ? four & 15 : four >> 4) | ((at<Bytes>(bytes) >> g) & 1) << 4;
  }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ6_K> : LargeBlock<16, false, 32> {
  static constexpr int kBytes = 210;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : bytes(from) {
    const float d = halves_at(from + 206).second;
    for (int i = 0; i < 16; i += 8) set_signed(scales + i, at<EightSignedBytes>(from + 192 + i), d);
  }
  KVMESH_INLINE Bytes codes(int g) const {
    const auto four = at<Bytes>(bytes + g / 4 * 64 + g % 2 * 32);
    const Bytes two = (at<Bytes>(bytes + 128 + g / 4 * 32) >> (g % 4 * 2)) & 3;
    return (g % 4 < 2 ? four & 15 : four >> 4) | two << 4;
  }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ2_K> : LargeBlock<16, true, 0> {
  static constexpr int kBytes = 84;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : bytes(from + 16) {
    const TwoFloats header = halves_at(from + 80);
    for (int i = 0; i < 16; i += 8) {
      const auto eight = at<std::uint64_t>(from + i);
      set(scales + i, eight & 0x0f0f0f0f0f0f0f0f, header.first);
      set(leasts + i, (eight >> 4) & 0x0f0f0f0f0f0f0f0f, -header.second);
    }
  }
  KVMESH_INLINE Bytes codes(int g) const { return (at<Bytes>(bytes + g / 4 * 32) >> (g % 4 * 2)) & 3; }
  const std::uint8_t* bytes;
};

template <>
struct Block<StoredDtype::kQ3_K> : LargeBlock<16, false, 4> {
  static constexpr int kBytes = 110;
  KVMESH_INLINE explicit Block(const std::uint8_t* from) : bytes(from) {
    const float d = halves_at(from + 106).second;
    const auto fours = at<std::uint64_t>(from + 96);
    const std::uint64_t twos = at<std::uint32_t>(from + 104), pairs = twos | (twos >> 2) << 32;
    const std::uint64_t low = (fours & 0x0f0f0f0f0f0f0f0f) | (pairs & 0x0303030303030303) << 4;
    const std::uint64_t high = ((fours >> 4) & 0x0f0f0f0f0f0f0f0f) | ((pairs >> 4) & 0x0303030303030303) << 4;
    set_signed(scales, at<EightSignedBytes>(&low) - 32, d);
    set_signed(scales + 8, at<EightSignedBytes>(&high) - 32, d);
  }
  KVMESH_INLINE Bytes codes(int g) const {
    const Bytes two = (at<Bytes>(bytes + 32 + g / 4 * 32) >> (g % 4 * 2)) & 3;
    return two | ((at<Bytes>(bytes) >> g) & 1) << 2;
  }
  const std::uint8_t* bytes;
};

/// Calls `use.template operator()<dtype>()` where `dtype` is quantised, that is where there is a Block of it; else
/// gives false.
template <class Use>
KVMESH_INLINE bool with_block_of(StoredDtype dtype, const Use& use) {
  switch (dtype) {
    case StoredDtype::kQ4_0: use.template operator()<StoredDtype::kQ4_0>(); return true;
    case StoredDtype::kQ4_1: use.template operator()<StoredDtype::kQ4_1>(); return true;
    case StoredDtype::kQ5_0: use.template operator()<StoredDtype::kQ5_0>(); return true;
    case StoredDtype::kQ5_1: use.template operator()<StoredDtype::kQ5_1>(); return true;
    case StoredDtype::kQ8_0: use.template operator()<StoredDtype::kQ8_0>(); return true;
    case StoredDtype::kQ2_K: use.template operator()<StoredDtype::kQ2_K>(); return true;
    case StoredDtype::kQ3_K: use.template operator()<StoredDtype::kQ3_K>(); return true;
    case StoredDtype::kQ4_K: use.template operator()<StoredDtype::kQ4_K>(); return true;
    case StoredDtype::kQ5_K: use.template operator()<StoredDtype::kQ5_K>(); return true;
    case StoredDtype::kQ6_K: use.template operator()<StoredDtype::kQ6_K>(); return true;
    case StoredDtype::kIQ4_NL: use.template operator()<StoredDtype::kIQ4_NL>(); return true;
    case StoredDtype::kDouble:
    case StoredDtype::kFloat:
    case StoredDtype::kHalf:
    case StoredDtype::kBFloat16:
    case StoredDtype::kLong:
    case StoredDtype::kInt:
    case StoredDtype::kShort:
    case StoredDtype::kChar:
    case StoredDtype::kByte:
    case StoredDtype::kBool: break;
  }
  return false;
}

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

#include "llm/model/finite.hpp"

#include <cstdint>
#include <cstring>
#include <vector>

namespace kvmesh::llm {
namespace {

/// `pattern` in every lane of `bits` bits.
constexpr std::uint64_t lanes(std::uint64_t pattern, int bits) {
  std::uint64_t word = 0;
  for (int shift = 0; shift < 64; shift += bits) word |= pattern << shift;
  return word;
}

/// A number is not finite where all bits of its exponent are set: where adding the exponent's lowest bit carries into
/// the sign's place. Several numbers of a word at once; none carries into its neighbour, whose sign was masked away.
struct ExponentTest {
  std::uint64_t exponent, lowest, sign;
  std::uint64_t operator()(std::uint64_t word) const { return ((word & exponent) + lowest) & sign; }
};

constexpr ExponentTest kBFloat16{lanes(0x7f80, 16), lanes(0x0080, 16), lanes(0x8000, 16)};
constexpr ExponentTest kHalf{lanes(0x7c00, 16), lanes(0x0400, 16), lanes(0x8000, 16)};
constexpr ExponentTest kFloat{lanes(0x7f800000, 32), lanes(0x00800000, 32), lanes(0x80000000, 32)};
constexpr ExponentTest kDouble{0x7ff0000000000000, 0x0010000000000000, 0x8000000000000000};

ExponentTest test_of(StoredDtype dtype) {
  if (dtype == StoredDtype::kBFloat16) return kBFloat16;
  if (dtype == StoredDtype::kHalf) return kHalf;
  return dtype == StoredDtype::kDouble ? kDouble : kFloat;
}

/// Where the halves stand in a block of a quantised dtype; those are all that may be not finite.
std::vector<std::size_t> halves_of(StoredDtype dtype) {
  switch (dtype) {
    case StoredDtype::kQ4_0:
    case StoredDtype::kQ5_0:
    case StoredDtype::kQ8_0:
    case StoredDtype::kIQ4_NL: return {0};
    case StoredDtype::kQ4_1:
    case StoredDtype::kQ5_1:
    case StoredDtype::kQ4_K:
    case StoredDtype::kQ5_K: return {0, 2};
    case StoredDtype::kQ2_K: return {80, 82};
    case StoredDtype::kQ3_K: return {108};
    case StoredDtype::kQ6_K: return {208};
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
  return {};
}

bool scales_finite(std::span<const std::byte> blocks, StoredDtype dtype) {
  std::uint64_t found = 0;
  for (const std::size_t place : halves_of(dtype)) {
    for (std::size_t at = place; at < blocks.size(); at += element_size(dtype)) {
      std::uint16_t half = 0;
      std::memcpy(&half, blocks.data() + at, sizeof half);
      found |= kHalf(half);
    }
  }
  return found == 0;
}

}  // namespace

bool all_finite(std::span<const std::byte> numbers, StoredDtype dtype) {
  if (is_quantised(dtype)) return scales_finite(numbers, dtype);
  const ExponentTest test = test_of(dtype);
  const std::byte* bytes = numbers.data();
  const std::size_t size = numbers.size();
  std::uint64_t found = 0, word = 0;
  std::size_t at = 0;
  for (; at + sizeof word <= size; at += sizeof word) {
    std::memcpy(&word, bytes + at, sizeof word);
    found |= test(word);
  }
  word = 0;
  if (at < size) std::memcpy(&word, bytes + at, size - at);
  return (found | test(word)) == 0;
}

}  // namespace kvmesh::llm

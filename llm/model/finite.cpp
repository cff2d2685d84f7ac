#include "llm/model/finite.hpp"

#include <cstddef>
#include <cstring>

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

}  // namespace

bool all_finite(const void* data, std::int64_t count, StoredDtype dtype) {
  const ExponentTest test = test_of(dtype);
  const auto* bytes = static_cast<const std::byte*>(data);
  const std::size_t size = static_cast<std::size_t>(count) * element_size(dtype);
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

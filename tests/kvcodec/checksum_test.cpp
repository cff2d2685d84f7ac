// The checksum is compiled once for each instruction set. The reference is libxxhash's own build, which shares no
// object code with ours.
#include <xxhash.h>

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "kvcodec/wire/detail/checksum.hpp"
#include "kvcodec/wire/envelope.hpp"

using namespace kvmesh;

namespace {

using Checksum = std::uint64_t (*)(std::span<const OwnedBytes>);

/// Those that this processor can run, and the one that is chosen on it.
std::vector<std::pair<std::string, Checksum>> checksums() {
  std::vector<std::pair<std::string, Checksum>> all = {{"generic", wire::detail::checksum_generic},
                                                       {"chosen", wire::payload_checksum}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) all.emplace_back("avx2", wire::detail::checksum_avx2);
  if (__builtin_cpu_supports("avx512f")) all.emplace_back("avx512", wire::detail::checksum_avx512);
#endif
  return all;
}

std::string random_bytes(std::size_t count) {
  std::mt19937_64 random(count + 1);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace

TEST_CASE("every build of the checksum gives XXH3-64, on either side of each length that it treats apart") {
  for (const std::size_t length :
       {0, 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 255, 256, 257, 1023, 1024, 1025, 65537, 1048583}) {
    const std::string bytes = random_bytes(length);
    const std::uint64_t wanted = XXH3_64bits(bytes.data(), bytes.size());
    const OwnedBytes frame = OwnedBytes::from_string(bytes);
    for (const auto& [name, checksum] : checksums()) {
      INFO(name << ", " << length << " bytes");
      CHECK(checksum({&frame, 1}) == wanted);
    }
  }
}

TEST_CASE("every build of the checksum takes frames, empty and unaligned ones too, as one run of bytes") {
  const std::string bytes = random_bytes(5000);
  const std::uint64_t wanted = XXH3_64bits(bytes.data(), bytes.size());
  for (const std::size_t cut : {1, 63, 64, 65, 257, 1031, 4999}) {
    const OwnedBytes whole = OwnedBytes::from_string(bytes);
    const std::vector<OwnedBytes> frames = {{whole.owner(), whole.span().first(cut)},
                                            {},
                                            {whole.owner(), whole.span().subspan(cut)}};
    for (const auto& [name, checksum] : checksums()) {
      INFO(name << ", cut at " << cut);
      CHECK(checksum(frames) == wanted);
    }
  }
}

// The checksum in pieces, by the loops that libxxhash chooses for this processor, against its own in one piece, by
// those that it compiles for every one.
#include <xxhash.h>

#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "kvcodec/wire/checksum.hpp"

using namespace kvmesh;

namespace {

using Checksum = std::function<std::uint64_t(std::span<const OwnedBytes>)>;

/// Copies, and fails where the copies are not the frames.
std::uint64_t copying(std::span<const OwnedBytes> frames) {
  std::vector<std::string> copies;
  for (const OwnedBytes& frame : frames) copies.emplace_back(frame.size() + 1, '#');
  std::vector<std::byte*> places;
  for (std::string& copy : copies) places.push_back(reinterpret_cast<std::byte*>(copy.data()));
  const std::uint64_t checksum = wire::copy_payload(frames, places);
  for (std::size_t i = 0; i < copies.size(); ++i) CHECK(copies[i] == std::string(frames[i].text()) + '#');
  return checksum;
}

/// The checksum alone, and that beside a copy.
std::vector<std::pair<std::string, Checksum>> checksums() {
  return {{"alone", wire::payload_checksum}, {"copying", copying}};
}

std::string random_bytes(std::size_t count) {
  std::mt19937_64 random(count + 1);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace

TEST_CASE("the checksum is XXH3-64, on either side of each length that it treats apart") {
  for (const std::size_t length : {0,   1,   3,   4,    8,    9,    16,    17,    128,   129,    240,    241,
                                   255, 256, 257, 1023, 1024, 1025, 65535, 65536, 65537, 131072, 1048583}) {
    const std::string bytes = random_bytes(length);
    const std::uint64_t wanted = XXH3_64bits(bytes.data(), bytes.size());
    const OwnedBytes frame = OwnedBytes::from_string(bytes);
    for (const auto& [name, checksum] : checksums()) {
      INFO(name << ", " << length << " bytes");
      CHECK(checksum({&frame, 1}) == wanted);
    }
  }
}

TEST_CASE("the checksum takes frames, empty and unaligned ones too, as one run of bytes") {
  const std::string bytes = random_bytes(200'000);
  const std::uint64_t wanted = XXH3_64bits(bytes.data(), bytes.size());
  for (const std::size_t cut : {1, 63, 64, 65, 257, 1031, 4999, 65536, 65537, 199'999}) {
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

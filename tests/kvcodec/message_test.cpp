#include <catch2/catch.hpp>

#include "kvcodec/wire/envelope.hpp"
#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using nlohmann::json;

namespace {

std::string refusal(const std::vector<OwnedBytes>& frames) {
  ErrorKind kind = ErrorKind::kReconnect;
  const std::string text = error_of([&] { wire::decode_message(frames); }, &kind);
  return kind == ErrorKind::kReconnect ? text : "an error of another kind: " + text;
}

}  // namespace

TEST_CASE("a message comes back as it went, in the memory in which it came") {
  const std::vector<OwnedBytes> frames = example_frames();
  const wire::WireMessage message = wire::decode_message(frames);
  wire::Envelope wanted = example_envelope();
  wanted.checksum = wire::payload_checksum(example_payload());
  CHECK(message.envelope == wanted);
  REQUIRE(message.payload.size() == 2);
  CHECK(message.payload[0].data() == frames[1].data());
  CHECK(message.payload[1].data() == frames[2].data());
  CHECK(message.wire_bytes == frames[0].size() + 16);
}

TEST_CASE("encoding shares the payload's memory") {
  const std::vector<OwnedBytes> payload = example_payload();
  const std::vector<OwnedBytes> frames = wire::encode_message(example_envelope(), payload);
  CHECK(frames.at(1).data() == payload[0].data());
  CHECK(frames.at(2).data() == payload[1].data());
}

TEST_CASE("a flipped bit in any payload byte is found, and the error says where") {
  for (std::size_t frame : {std::size_t{1}, std::size_t{2}}) {
    for (std::size_t byte = 0; byte < 8; ++byte) {
      std::vector<OwnedBytes> frames = example_frames();
      std::string damaged(frames[frame].text());
      damaged[byte] = static_cast<char>(damaged[byte] ^ 1);
      frames[frame] = OwnedBytes::from_string(damaged);
      CHECK_THAT(refusal(frames), holds("checksum") && holds("edge reader -> solver (kv), request \"r0\"") &&
                                      holds("message 1 of 3, layer 4"));
    }
  }
}

TEST_CASE("payload frames in another order are found") {
  std::vector<OwnedBytes> frames = example_frames();
  std::swap(frames[1], frames[2]);
  CHECK_THAT(refusal(frames), holds("checksum"));
}

TEST_CASE("a truncated payload frame is refused with both sizes") {
  std::vector<OwnedBytes> frames = example_frames();
  frames[2] = OwnedBytes(frames[2].owner(), frames[2].span().first(7));
  CHECK_THAT(refusal(frames), holds("\"values\" has 7 bytes") && holds("make 8"));
}

TEST_CASE("an oversized payload frame is refused with both sizes") {
  std::vector<OwnedBytes> frames = example_frames();
  frames[1] = OwnedBytes::from_string(std::string(4096, 'x'));
  CHECK_THAT(refusal(frames), holds("\"keys\" has 4096 bytes") && holds("make 8"));
}

TEST_CASE("a missing or an extra frame is refused with both numbers") {
  std::vector<OwnedBytes> frames = example_frames();
  frames.push_back(frames.back());
  CHECK_THAT(refusal(frames), holds("3 payload frames") && holds("describes 2"));
  frames.resize(2);
  CHECK_THAT(refusal(frames), holds("1 payload frames") && holds("describes 2"));
  CHECK_THAT(refusal({}), holds("without an envelope"));
}

TEST_CASE("rows that differ from the positions are refused with both numbers") {
  const auto frames = edited_message([](json& fields) { fields["positions"] = {{0, 1}, {7, 2}}; });
  CHECK_THAT(refusal(frames), holds("\"keys\" has 2 rows") && holds("name 3"));
}

TEST_CASE("the checksum covers the frames as if they were one run of bytes") {
  const OwnedBytes whole = OwnedBytes::from_string("keysvalues");
  const std::vector<OwnedBytes> parts{OwnedBytes::from_string("keys"), OwnedBytes(), OwnedBytes::from_string("values")};
  CHECK(wire::payload_checksum(parts) == wire::payload_checksum({&whole, 1}));
  CHECK(wire::payload_checksum({}) == 0x2d06800538d394c2);  // XXH3-64 of nothing, as its authors publish it
}

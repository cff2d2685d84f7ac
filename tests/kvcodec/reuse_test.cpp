// Names of blocks, offers and answers, and rows cut out of messages.

#include "kvcodec/wire/reuse.hpp"

#include <xxhash.h>

#include <algorithm>

#include "tests/kvcodec/wire_fixture.hpp"
#include "tests/support/places.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

std::vector<std::int64_t> tokens(std::int64_t count, std::int64_t changed_at = -1) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(i == changed_at ? 9'999 : i * 7 % 501);
  return ids;
}

wire::Envelope rows_at(std::int64_t first, std::int64_t count) {
  wire::Envelope envelope = example_envelope();
  envelope.positions = {{.first = first, .count = count}};
  return envelope;
}

}  // namespace

TEST_CASE("a prompt has a name for each whole block, and none for what is left") {
  CHECK(wire::name_blocks(tokens(63), "w").empty());
  CHECK(wire::name_blocks(tokens(64), "w").size() == 1);
  CHECK(wire::name_blocks(tokens(191), "w").size() == 2);
}

TEST_CASE("a block's name depends on its tokens, on all tokens before it and on the seed, and on nothing behind it") {
  const auto names = wire::name_blocks(tokens(256), "weights bf16");
  const auto longer = wire::name_blocks(tokens(400), "weights bf16");
  CHECK(std::equal(names.begin(), names.end(), longer.begin()));
  const auto other = wire::name_blocks(tokens(256, /*changed_at=*/100), "weights bf16");
  CHECK(names[0] == other[0]);
  for (int block : {1, 2, 3}) CHECK(names.at(block) != other.at(block));
  for (const wire::BlockId& name : wire::name_blocks(tokens(256), "weights fp32"))
    CHECK(std::find(names.begin(), names.end(), name) == names.end());
}

TEST_CASE("names are XXH3-128 of the name before and 64 tokens of 8 bytes, little-endian, as the document says") {
  const auto little = [](std::string& bytes, std::uint64_t number) {
    for (int i = 0; i < 8; ++i, number >>= 8) bytes += static_cast<char>(number & 0xff);
  };
  XXH128_hash_t hash = XXH3_128bits("seed", 4);
  std::size_t next = 0;
  for (const wire::BlockId& name : wire::name_blocks(tokens(128), "seed")) {
    std::string bytes;
    little(bytes, hash.high64);
    little(bytes, hash.low64);
    for (int i = 0; i < 64; ++i, ++next) little(bytes, static_cast<std::uint64_t>(tokens(128)[next]));
    hash = XXH3_128bits(bytes.data(), bytes.size());
    CHECK(name == wire::BlockId{hash.high64, hash.low64});
  }
}

TEST_CASE("offers and what comes back are read as they were written") {
  const wire::Offer offer{"r7", wire::name_blocks(tokens(300), "w")};
  CHECK(wire::decode_offer(wire::encode_offer(offer)) == offer);
  for (const wire::Back& back :
       {wire::Back(wire::Held{"r7", {4, 0, 2}}), wire::Back(wire::Again{"r7", 12}), wire::Back(wire::Done{"r7"})})
    CHECK(wire::decode_back(wire::encode_back(back)) == back);
}

TEST_CASE("offers and what comes back are written with sorted keys and numbers in the shortest form") {
  const OwnedBytes offer = wire::encode_offer({"r7", wire::name_blocks(tokens(300), "w")}).front();
  CHECK(offer.text() == canonical(offer));
  for (const wire::Back& back :
       {wire::Back(wire::Held{"r7", {400, 0, 2}}), wire::Back(wire::Again{"r7", 12}), wire::Back(wire::Done{"r7"})}) {
    const OwnedBytes bytes = wire::encode_back(back);
    CHECK(bytes.text() == canonical(bytes));
  }
}

TEST_CASE("offers and answers that are none are refused with the field that is wrong") {
  const auto back = [&](const nlohmann::json& fields) { return error_of([&] { wire::decode_back(sealed(fields)); }); };
  CHECK_THAT(back({{"version", 3}}), holds("version 3"));
  CHECK_THAT(back({{"version", 2}, {"type", "held"}, {"request", "r"}}), holds("blocks"));
  CHECK_THAT(back({{"version", 2}, {"type", "held"}, {"request", "r"}, {"blocks", {-1}}}), holds("blocks"));
  CHECK_THAT(back({{"version", 2}, {"type", "later"}, {"request", "r"}}), holds("later"));
  CHECK_THAT(back({{"version", 2}, {"type", "again"}, {"request", "r"}}), holds("sequence"));
  CHECK_THAT(back({{"version", 2}, {"type", "done"}, {"request", "r"}, {"needs", {"epoch"}}}), holds("\"epoch\""));
  CHECK_THAT(error_of([] { wire::decode_back(OwnedBytes::from_string("\xc1")); }), holds("not msgpack"));
  const auto offer = wire::encode_offer({"r", wire::name_blocks(tokens(64), "w")});
  CHECK_THAT(error_of([&] { wire::decode_offer({offer.data(), 1}); }), holds("1 frames"));
  CHECK_THAT(error_of([&] {
               wire::decode_offer(std::vector{offer[0], OwnedBytes::from_string("odd")});
             }),
             holds("damaged"));
  const OwnedBytes odd = OwnedBytes::from_string("odd");
  CHECK_THAT(error_of([&] {
               wire::decode_offer(std::vector{
                   sealed({{"version", 2}, {"request", "r"}, {"checksum", wire::payload_checksum({&odd, 1})}}), odd});
             }),
             holds("3 bytes"));
}

TEST_CASE("any flipped bit of an offer and of what comes back is noticed") {
  const auto flipped = [](const OwnedBytes& bytes, std::size_t bit) {
    std::string damaged(bytes.text());
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    return OwnedBytes::from_string(damaged);
  };
  const auto offer = wire::encode_offer({"r", wire::name_blocks(tokens(64), "w")});
  for (std::size_t frame : {0, 1}) {
    for (std::size_t bit = 0; bit < 8 * offer[frame].size(); ++bit) {
      auto damaged = offer;
      damaged[frame] = flipped(offer[frame], bit);
      CHECK(!error_of([&] { wire::decode_offer(damaged); }).empty());
    }
  }
  const OwnedBytes back = wire::encode_back(wire::Held{"r7", {4, 0, 2}});
  for (std::size_t bit = 0; bit < 8 * back.size(); ++bit)
    CHECK(!error_of([&] { wire::decode_back(flipped(back, bit)); }).empty());
}

TEST_CASE("offers and answers of version 1 are refused with both numbers") {
  const auto folder = source_dir() / "tests/golden/wire_version_1";
  CHECK_THAT(error_of([&] { wire::decode_offer(read_frames(folder / "offer")); }),
             holds("protocol version 1, but this build speaks version 2"));
  CHECK_THAT(error_of([&] { wire::decode_back(read_frames(folder / "held").at(0)); }),
             holds("protocol version 1, but this build speaks version 2"));
}

TEST_CASE("the blocks of a message are those that it holds whole") {
  CHECK(wire::blocks_in(rows_at(0, 63)) == wire::BlockRange{});
  CHECK(wire::blocks_in(rows_at(0, 200)) == wire::BlockRange{.first = 0, .count = 3, .skip = 0});
  CHECK(wire::blocks_in(rows_at(1, 63)) == wire::BlockRange{.first = 0, .count = 1, .skip = 0});
  CHECK(wire::blocks_in(rows_at(100, 100)) == wire::BlockRange{.first = 2, .count = 1, .skip = 28});
  CHECK(wire::blocks_in(rows_at(0, 1)) == wire::BlockRange{});
}

TEST_CASE("a message that holds others' tokens has no blocks") {
  wire::Envelope behind = rows_at(128, 128);
  behind.context_start = 128;
  CHECK(wire::blocks_in(behind) == wire::BlockRange{});
  wire::Envelope forwarded = rows_at(0, 128);
  forwarded.positions.push_back({.first = 200, .count = 64});
  CHECK(wire::blocks_in(forwarded) == wire::BlockRange{});
}

TEST_CASE("rows are cut out of a message in its own memory, with their positions") {
  const wire::WireMessage message = wire::decode_message(example_frames());
  const wire::WireMessage second = wire::slice_rows(message, 1, 1);
  CHECK(second.envelope.positions == std::vector<wire::PositionRange>{{.first = 1, .count = 1}});
  CHECK(second.envelope.tensors.at(0).shape == std::vector<std::int64_t>{1, 1, 2});
  CHECK(second.payload.at(1).data() == message.payload[1].data() + 4);
  CHECK(second.payload.at(1).size() == 4);
}

TEST_CASE("kept rows come without tensors") {
  wire::Envelope envelope = rows_at(0, 64);
  envelope.encoding = wire::Encoding::kKept;
  CHECK_THAT(error_of([&] { wire::decode_message(wire::encode_message(envelope, example_payload())); }), holds("kept"));
  envelope.tensors.clear();
  CHECK(wire::decode_message(wire::encode_message(envelope, {})).envelope.encoding == wire::Encoding::kKept);
}

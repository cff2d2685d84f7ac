#include "kvcodec/wire/envelope.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "kvcodec/wire/detail/envelope_place.hpp"
#include "tests/kvcodec/wire_fixture.hpp"
#include "tests/support/places.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using nlohmann::json;

TEST_CASE("an envelope of each kind comes back as it went") {
  for (wire::Medium kind :
       {wire::Medium::kKv, wire::Medium::kText, wire::Medium::kEmbedding, wire::Medium::kActivation}) {
    wire::Envelope envelope = example_envelope();
    envelope.checksum = 0xfedcba9876543210;
    envelope.kind = kind;
    if (kind != wire::Medium::kKv) {
      envelope.layer = -1;
      envelope.positions.clear();
      envelope.context_start = envelope.context_end = 0;
      envelope.layers_complete = 0;
    }
    CHECK(wire::decode_envelope(wire::encode_envelope(envelope)) == envelope);
  }
}

TEST_CASE("an envelope of rows that have some heads only names them, and says that they must be known") {
  wire::Envelope envelope = example_envelope();
  envelope.heads = {0, 3, 17};
  envelope.checksum = ~std::uint64_t{0};
  const OwnedBytes bytes = wire::encode_envelope(envelope);
  CHECK(wire::decode_envelope(bytes) == envelope);
  CHECK(bytes.text() == canonical(bytes));
  const json fields = json::from_msgpack(bytes.text());
  CHECK(fields["heads"] == json{0, 3, 17});
  CHECK(fields["needs"] == json{"heads"});
  const json whole = json::from_msgpack(wire::encode_envelope(example_envelope()).text());
  CHECK_FALSE(whole.contains("heads"));
  CHECK_FALSE(whole.contains("needs"));
}

TEST_CASE("heads out of order, twice, below zero or none at all are refused") {
  const auto heads = [](const json& value) {
    return error_of([&] { wire::decode_envelope(edited_envelope([&](json& fields) { fields["heads"] = value; })); });
  };
  CHECK_THAT(heads({3, 1}), holds("rising order"));
  CHECK_THAT(heads({1, 1}), holds("rising order"));
  CHECK_THAT(heads({-1}), holds("\"heads\""));
  CHECK_THAT(heads(json::array()), holds("names no head"));
  CHECK_THAT(heads(std::vector<int>(5000, 1)), holds("limit of 4096"));
}

TEST_CASE("an envelope is written with sorted keys and numbers in the shortest form, but for a small checksum") {
  for (wire::Medium kind : {wire::Medium::kKv, wire::Medium::kText}) {
    for (std::int32_t number : {0, 127, 128, 70'000}) {
      wire::Envelope envelope = example_envelope();
      envelope.kind = kind;
      envelope.checksum = ~std::uint64_t{0};
      envelope.request = std::string(static_cast<std::size_t>(number % 300), 'r');
      envelope.layer = number;
      envelope.positions.assign(16, {.first = number, .count = number});
      const OwnedBytes bytes = wire::encode_envelope(envelope);
      CHECK(bytes.text() == canonical(bytes));
    }
  }
}

TEST_CASE("the checksum stands in eight bytes at a place that depends on the medium alone") {
  for (wire::Medium kind :
       {wire::Medium::kKv, wire::Medium::kText, wire::Medium::kEmbedding, wire::Medium::kActivation}) {
    wire::Envelope envelope = example_envelope();
    envelope.kind = kind;
    const std::string zero(wire::encode_envelope(envelope).text());
    envelope.checksum = 0x0123456789abcdef;
    std::string filled = zero;
    filled.replace(wire::detail::checksum_place(kind), 8, "\x01\x23\x45\x67\x89\xab\xcd\xef");
    wire::detail::seal_map(filled);
    CHECK(wire::encode_envelope(envelope).text() == filled);
    CHECK(wire::decode_envelope(OwnedBytes::from_string(filled)).checksum == envelope.checksum);
  }
}

TEST_CASE("an envelope cut anywhere is refused") {
  const OwnedBytes whole = wire::encode_envelope(example_envelope());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const OwnedBytes cut(whole.owner(), whole.span().first(size));
    ErrorKind kind = ErrorKind::kGiveUp;
    CHECK_THAT(error_of([&] { wire::decode_envelope(cut); }, &kind), holds("not msgpack"));
    CHECK(kind == ErrorKind::kReconnect);
  }
}

TEST_CASE("an envelope with bytes behind it is refused") {
  const OwnedBytes longer =
      OwnedBytes::from_string(std::string(wire::encode_envelope(example_envelope()).text()) + "x");
  CHECK_THAT(error_of([&] { wire::decode_envelope(longer); }), holds("not msgpack"));
}

TEST_CASE("random damage to an envelope ends in an envelope or in an Error, never otherwise") {
  const std::string whole(wire::encode_envelope(example_envelope()).text());
  std::mt19937 generator(7);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = whole;
    for (int i = 0; i < 3; ++i) damaged[generator() % damaged.size()] = static_cast<char>(generator());
    refused += !error_of([&] { wire::decode_envelope(OwnedBytes::from_string(damaged)); }).empty();
  }
  CHECK(refused > 10000);
}

TEST_CASE("an envelope above the size limit is refused before it is parsed") {
  const OwnedBytes huge = OwnedBytes::from_string(std::string(wire::kMaxEnvelopeBytes + 1, '\0'));
  CHECK_THAT(error_of([&] { wire::decode_envelope(huge); }), holds("65537 bytes") && holds("65536"));
}

TEST_CASE("an envelope that would be too large is not sent") {
  wire::Envelope envelope = example_envelope();
  envelope.request = std::string(wire::kMaxEnvelopeBytes, 'r');
  CHECK_THAT(error_of([&] { wire::encode_envelope(envelope); }), holds("reader") && holds("65536"));
}

TEST_CASE("deep nesting is refused, however deep") {
  for (std::size_t depth : {std::size_t{9}, std::size_t{60000}}) {
    const OwnedBytes nested = OwnedBytes::from_string(std::string(depth, '\x91') + '\xc0');
    CHECK_THAT(error_of([&] { wire::decode_envelope(nested); }), holds("nested more deeply than the limit of 8"));
  }
}

TEST_CASE("another protocol version is refused with both numbers, whatever else it holds") {
  const OwnedBytes newer = edited_envelope([](json& fields) { fields = {{"version", 3}, {"novel", true}}; });
  CHECK_THAT(error_of([&] { wire::decode_envelope(newer); }), holds("version 3") && holds("speaks version 2"));
  std::string otherwise;  // which may end in another way than ours
  json::to_msgpack({{"version", 3}}, otherwise);
  CHECK_THAT(error_of([&] { wire::decode_envelope(OwnedBytes::from_string(otherwise)); }),
             holds("version 3") && holds("speaks version 2"));
}

TEST_CASE("messages of version 1 are refused with both numbers") {
  for (const char* name : {"kv", "text"}) {
    const auto frames = read_frames(source_dir() / "tests/golden/wire_version_1" / name);
    REQUIRE(frames.size() > 1);
    CHECK_THAT(error_of([&] { wire::decode_message(frames); }),
               holds("protocol version 1, but this build speaks version 2: run the same kvmesh at both ends"));
  }
}

TEST_CASE("any flipped bit of an envelope is noticed") {
  const std::string whole(wire::encode_envelope(example_envelope()).text());
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    ErrorKind kind = ErrorKind::kGiveUp;
    const std::string says = error_of([&] { wire::decode_envelope(OwnedBytes::from_string(damaged)); }, &kind);
    CHECK(kind == ErrorKind::kReconnect);
    CHECK_THAT(says, holds("damaged on its way") || holds("not msgpack"));
    // What an envelope says is never believed before all of it is known to be whole.
    if (bit / 8 + 14 < whole.size()) CHECK_THAT(says, holds("damaged on its way"));
  }
}

TEST_CASE("an envelope that needs what this build does not know is refused with its name") {
  const auto needing = [](const json& needs) {
    return error_of([&] { wire::decode_envelope(edited_envelope([&](json& fields) { fields["needs"] = needs; })); });
  };
  CHECK(needing(json::array()).empty());
  CHECK_THAT(needing({"heads", "device"}),
             holds("needs \"device\", which this build does not know: run the newer kvmesh"));
  CHECK_THAT(needing({7}), holds("needs number"));
  CHECK_THAT(needing("heads"), holds("\"needs\" is string, but must be an array"));
}

TEST_CASE("unknown keys are skipped") {
  const OwnedBytes richer = edited_envelope([](json& fields) {
    fields["novel"] = {{"a", {1, 2, 3}}, {"b", nullptr}};
    fields["blob"] = json::binary({1, 2, 3});
  });
  wire::Envelope wanted = example_envelope();
  wanted.checksum = wire::payload_checksum(example_payload());
  CHECK(wire::decode_envelope(richer) == wanted);
}

TEST_CASE("a missing field is named") {
  const json whole = envelope_fields(example_frames().front());
  REQUIRE(whole.size() == 18);
  for (const auto& field : whole.items()) {
    if (field.key() == "xxh3") continue;  // without which it is damaged
    const OwnedBytes poorer = edited_envelope([&](json& fields) { fields.erase(field.key()); });
    CHECK_THAT(error_of([&] { wire::decode_envelope(poorer); }), holds(cat("\"", field.key(), "\" is missing")));
  }
}

TEST_CASE("a field of another type is named") {
  const json whole = envelope_fields(example_frames().front());
  for (const auto& field : whole.items()) {
    if (field.key() == "xxh3") continue;
    const OwnedBytes other = edited_envelope([&](json& fields) { fields[field.key()] = 1.5; });
    CHECK_THAT(error_of([&] { wire::decode_envelope(other); }), holds(cat("\"", field.key(), "\" is number")));
  }
}

TEST_CASE("a field that comes twice is refused") {
  const OwnedBytes twice = OwnedBytes::from_string("\x82\xa4kind\xa2kv\xa4kind\xa4text");
  CHECK_THAT(error_of([&] { wire::decode_envelope(twice); }), holds("\"kind\" comes twice"));
}

TEST_CASE("an envelope that is no map is refused") {
  CHECK_THAT(error_of([&] { wire::decode_envelope(OwnedBytes::from_string("\x93\x01\x02\x03")); }), holds("a map"));
}

TEST_CASE("numbers out of range are refused") {
  const auto refusal = [](const char* key, const json& value) {
    const OwnedBytes bytes = edited_envelope([&](json& fields) { fields[key] = value; });
    return error_of([&] { wire::decode_envelope(bytes); });
  };
  CHECK_THAT(refusal("sequence", 3), holds("sequence 3 is not below count 3"));
  CHECK_THAT(refusal("sequence", -1), holds("\"sequence\" is out of range"));
  CHECK_THAT(refusal("count", 0), holds("\"count\" is out of range"));
  CHECK_THAT(refusal("count", wire::kMaxMessagesPerRequest + 1), holds("count 1048577 is above the limit of 1048576"));
  CHECK_THAT(refusal("count", std::uint64_t{1} << 32), holds("\"count\" is out of range"));
  CHECK_THAT(refusal("layer", -1), holds("\"layer\" is out of range"));
  CHECK_THAT(refusal("context_end", -1), holds("\"context_end\" is out of range"));
  CHECK_THAT(refusal("context_start", 5), holds("from 5 to 2"));
  CHECK_THAT(refusal("checksum", -1), holds("\"checksum\" is out of range"));
  CHECK_THAT(refusal("kind", "smell"), holds("unknown kind \"smell\""));
}

TEST_CASE("positions that no model has are refused") {
  const auto refusal = [](const json& positions) {
    const OwnedBytes bytes = edited_envelope([&](json& fields) { fields["positions"] = positions; });
    return error_of([&] { wire::decode_envelope(bytes); });
  };
  CHECK_THAT(refusal({{0, 1}, {5}}), holds("range 1 is not a pair"));
  CHECK_THAT(refusal({{-1, 2}}), holds("out of range"));
  CHECK_THAT(refusal({{0, -2}}), holds("out of range"));
  CHECK_THAT(refusal({{0, INT64_MAX}}), holds("beyond the limit"));
  CHECK_THAT(refusal(json(1025, json::array({0, 1}))), holds("1025 elements, more than the limit of 1024"));
}

TEST_CASE("tensors that cannot be are refused before anything is read") {
  const auto refusal = [](const json& shape, const char* dtype = "bf16") {
    const OwnedBytes bytes = edited_envelope([&](json& fields) {
      fields["tensors"][0]["shape"] = shape;
      fields["tensors"][0]["dtype"] = dtype;
    });
    return error_of([&] { wire::decode_envelope(bytes); });
  };
  CHECK_THAT(refusal({-2, 1, 2}), holds("negative extent, -2"));
  CHECK_THAT(refusal({1, 1, 1, 1, 1}), holds("5 elements, more than the limit of 4"));
  CHECK_THAT(refusal({INT64_MAX, INT64_MAX, 4}), holds("\"keys\"") && holds("limit of 1099511627776"));
  CHECK_THAT(refusal({2, 1, 2}, "f8"), holds("unknown dtype \"f8\""));
  CHECK(refusal({0, INT64_MAX, 4}).empty());
  const OwnedBytes crowd = edited_envelope([](json& fields) { fields["tensors"] = json(9, fields["tensors"][0]); });
  CHECK_THAT(error_of([&] { wire::decode_envelope(crowd); }), holds("9 elements, more than the limit of 8"));
}

TEST_CASE("an envelope is the same bytes each time") {
  CHECK(wire::encode_envelope(example_envelope()).text() == wire::encode_envelope(example_envelope()).text());
}

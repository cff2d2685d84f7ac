#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/kvcodec/wire_fixture.hpp"
#include "tests/support/places.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

std::string wire_document() {
  std::ifstream file(source_dir() / "docs/wire.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// 16 bytes a line, hex and then the text after a bar: how the document writes a frame.
std::string hex_dump(const OwnedBytes& bytes) {
  std::ostringstream out;
  for (std::size_t start = 0; start < bytes.size(); start += 16) {
    const std::string_view row = bytes.text().substr(start, 16);
    for (std::size_t i = 0; i < 16; ++i) {
      char cell[4] = "   ";
      if (i < row.size()) std::snprintf(cell, sizeof cell, "%02x ", static_cast<unsigned char>(row[i]));
      out << cell;
    }
    out << "|";
    for (char c : row) out << (c >= ' ' && c <= '~' ? c : '.');
    out << "\n";
  }
  return out.str();
}

/// The frames of the document's ```hex blocks, in order.
std::vector<OwnedBytes> documented_frames() {
  std::istringstream lines(wire_document());
  std::vector<OwnedBytes> frames;
  std::string line;
  while (std::getline(lines, line)) {
    if (line != "```hex") continue;
    std::string bytes;
    while (std::getline(lines, line) && line != "```") {
      std::istringstream cells(line.substr(0, line.find('|')));
      unsigned value = 0;
      while (cells >> std::hex >> value) bytes += static_cast<char>(value);
    }
    frames.push_back(OwnedBytes::from_string(bytes));
  }
  return frames;
}

}  // namespace

TEST_CASE("the worked example of docs/wire.md is what this build writes") {
  const std::string document = wire_document();
  for (const OwnedBytes& frame : example_frames()) CHECK_THAT(document, holds("```hex\n" + hex_dump(frame) + "```"));
}

TEST_CASE("the worked example of docs/wire.md is read as the document says") {
  const std::vector<OwnedBytes> frames = documented_frames();
  REQUIRE(frames.size() == 3);
  wire::Envelope wanted = example_envelope();
  wanted.checksum = wire::payload_checksum(example_payload());
  CHECK(wire::decode_message(frames).envelope == wanted);
}

TEST_CASE("the worked hash of docs/wire.md is the hash of the text that it shows") {
  const std::string canonical = R"({"family":"llama","head_dim":2,"num_key_value_heads":1,)"
                                R"("position_convention":"continue","rope_scaling":"","rope_theta":10000.0})";
  const OwnedBytes bytes = OwnedBytes::from_string(canonical);
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(wire::payload_checksum({&bytes, 1})));
  CHECK(example_manifest().hash() == digits);
  CHECK_THAT(wire_document(), holds(canonical) && holds(digits));
}

TEST_CASE("docs/wire.md names every field that an envelope has, and its limits") {
  const std::string document = wire_document();
  const nlohmann::json fields = envelope_fields(example_frames().front());
  for (const auto& field : fields.items()) CHECK_THAT(document, holds(cat("| `", field.key(), "` |")));
  const auto limits = {std::to_string(wire::kMaxEnvelopeBytes), std::to_string(wire::kMaxPositionRanges),
                       std::to_string(wire::kMaxMessagesPerRequest)};
  for (const std::string& limit : limits) CHECK_THAT(document, holds(limit));
}

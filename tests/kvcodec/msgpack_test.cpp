// What we read and write with msgpack-c against nlohmann's: another reader and another writer of the same format.

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "kvcodec/wire/detail/msgpack_pack.hpp"
#include "kvcodec/wire/detail/msgpack_values.hpp"
#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using nlohmann::json;
using wire::detail::MsgpackValue;
using wire::detail::read_msgpack;
using wire::detail::write_array;
using wire::detail::write_entry;
using wire::detail::write_map;
using wire::detail::write_value;

namespace {

std::string written_by_nlohmann(const json& value) {
  std::string bytes;
  json::to_msgpack(value, bytes);
  return bytes;
}

template <typename Write>
std::string written(Write write) {
  std::string bytes;
  wire::detail::StringBuffer end{bytes};
  wire::detail::Packer out(end);
  write(out);
  return bytes;
}

/// What nlohmann's reader meets on its way and its values do not show.
class Walk : public nlohmann::json_sax<json> {
 public:
  int deepest = 0;
  bool key_comes_twice = false;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    key_comes_twice = key_comes_twice || !keys_.back().insert(name).second;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  bool enter() {
    keys_.emplace_back();
    deepest = std::max(deepest, static_cast<int>(keys_.size()));
    return true;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> keys_;
};

bool nlohmann_accepts(const std::string& bytes) {
  Walk walk;
  return json::sax_parse(bytes, &walk, json::input_format_t::msgpack) && walk.deepest <= wire::kMaxEnvelopeDepth &&
         !walk.key_comes_twice;
}

bool same(const MsgpackValue& ours, const json& theirs) {
  if (std::string(ours.type_name()) != theirs.type_name()) return false;
  if (theirs.is_number_unsigned()) return ours.is_number_unsigned() && ours.get<std::uint64_t>() == theirs;
  if (theirs.is_number_integer()) return ours.is_number_integer() && ours.get<std::int64_t>() == theirs;
  if (theirs.is_number()) return !ours.is_number_integer();
  if (theirs.is_string()) return ours.get<std::string>() == theirs.get<std::string>();
  if (!theirs.is_structured()) return true;
  if (ours.size() != theirs.size()) return false;
  if (theirs.is_object()) {
    wire::detail::Finder finder(ours);
    const auto finds = [&](const auto& item) {
      const auto found = finder.find(item.key());
      return found != ours.end() && same(*found, item.value());
    };
    return std::all_of(theirs.items().begin(), theirs.items().end(), finds);
  }
  auto element = ours.begin();
  for (const json& wanted : theirs) {
    if (element == ours.end() || !same(*element, wanted)) return false;
    ++element;
  }
  return element == ours.end();
}

/// Writes msgpack in every form that the format knows, the needlessly long ones too.
class RandomMsgpack {
 public:
  explicit RandomMsgpack(std::uint32_t seed) : generator_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return generator_() % bound; }

  std::string value(int levels) {
    const std::uint32_t kind = below(levels > 0 ? 16 : 8);
    if (kind >= 12) return map(levels);
    if (kind >= 8) return array(levels);
    switch (kind) {
      case 0: return byte(std::array{0xc0, 0xc2, 0xc3}[below(3)]);
      case 1: return byte(below(0x80));
      case 2: return byte(0xe0 + below(0x20));
      case 3: return below(2) == 0 ? number(0xca, 2) : number(0xcb, 3);
      case 4: return whole_number(0xcc);
      case 5: return whole_number(0xd0);
      case 6: return text();
      default: return binary();
    }
  }

  std::string noise(std::size_t size) {
    std::string bytes;
    while (bytes.size() < size) bytes += byte(below(256));
    return bytes;
  }

  /// Cuts, changes or adds a byte or two.
  std::string damaged(std::string bytes) {
    const std::size_t at = below(static_cast<std::uint32_t>(bytes.size()));
    switch (below(4)) {
      case 0: return bytes.substr(0, at);
      case 1: return bytes.insert(at, noise(1 + below(2)));
      case 2: return bytes.erase(at, 1);
      default: bytes[at] = noise(1).front(); return bytes;
    }
  }

 private:
  static std::string byte(std::uint32_t value) { return {static_cast<char>(value)}; }

  static std::string big_endian(std::uint64_t value, int width) {
    std::string bytes;
    while (width-- > 0) bytes += byte(static_cast<std::uint32_t>(value >> (8 * width) & 0xff));
    return bytes;
  }

  std::string number(std::uint32_t head, std::uint32_t log) { return byte(head) + noise(std::size_t{1} << log); }

  std::string whole_number(std::uint32_t head8) {
    const std::uint32_t log = below(4);
    return number(head8 + log, log);
  }

  std::string text() {
    const std::uint32_t size = below(6), log = below(4);
    const std::string head = log == 3 ? byte(0xa0 + size) : byte(0xd9 + log) + big_endian(size, 1 << log);
    std::string letters;
    while (letters.size() < size) letters += byte('a' + below(3));
    return head + letters;
  }

  std::string binary() {
    const std::uint32_t size = below(6), log = below(3);
    switch (below(3)) {
      case 0: return byte(0xc4 + log) + big_endian(size, 1 << log) + noise(size);
      case 1: return byte(0xc7 + log) + big_endian(size, 1 << log) + noise(1 + size);
      default: return byte(0xd4 + log) + noise(1 + (std::size_t{1} << log));
    }
  }

  std::string sized(std::uint32_t fix, std::uint32_t head16, std::uint32_t size) {
    const std::uint32_t form = below(3);
    return form == 2 ? byte(fix + size) : byte(head16 + form) + big_endian(size, form == 0 ? 2 : 4);
  }

  std::string array(int levels) {
    const std::uint32_t size = below(4);
    std::string bytes = sized(0x90, 0xdc, size);
    for (std::uint32_t i = 0; i < size; ++i) bytes += value(levels - 1);
    return bytes;
  }

  std::string map(int levels) {
    const std::uint32_t size = below(4);
    std::string bytes = sized(0x80, 0xde, size);
    for (std::uint32_t i = 0; i < size; ++i) bytes += text() + value(levels - 1);
    return bytes;
  }

  std::mt19937 generator_;
};

/// True where our reader takes `bytes`, and fails the test where nlohmann's says otherwise or reads another value.
bool read_alike(const std::string& bytes) {
  INFO("bytes " << json(std::vector<std::uint8_t>(bytes.begin(), bytes.end())));
  const bool wanted = nlohmann_accepts(bytes);
  try {
    const OwnedBytes owned = OwnedBytes::from_string(bytes);
    const std::vector<MsgpackValue> values = read_msgpack(owned, "test");
    if (!wanted) FAIL("we accept what nlohmann refuses");
    if (!same(values.front(), json::from_msgpack(bytes))) FAIL("nlohmann reads another value");
  } catch (const Error& error) {
    if (wanted) FAIL("we refuse what nlohmann accepts: " << error.what());
  }
  return wanted;
}

}  // namespace

TEST_CASE("whole numbers are written in the shortest form, at every size") {
  for (int bit = 0; bit < 64; ++bit) {
    for (std::uint64_t near : {-1, 0, 1}) {
      const std::uint64_t number = (std::uint64_t{1} << bit) + near;
      const auto negative = static_cast<std::int64_t>(-number);
      CHECK(written([&](auto& out) { write_value(out, number); }) == written_by_nlohmann(number));
      CHECK(written([&](auto& out) { write_value(out, negative); }) == written_by_nlohmann(negative));
    }
  }
}

TEST_CASE("texts, arrays and maps are written with the shortest head, at every size") {
  for (std::size_t size : {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536}) {
    const std::string text(size, 't');
    CHECK(written([&](auto& out) { write_value(out, text); }) == written_by_nlohmann(text));
    const auto array = written([&](auto& out) { write_array(out, size); }) + text;
    CHECK(array == written_by_nlohmann(json(size, 't')));
  }
  for (std::size_t size : {0, 15, 16, 300}) {
    json entries = json::object();
    for (std::size_t i = 0; i < size; ++i) entries[std::to_string(i)] = i;
    const auto map = written([&](auto& out) {
      write_map(out, size);
      for (const auto& item : entries.items()) write_entry(out, item.key(), item.value().get<int>());
    });
    CHECK(map == written_by_nlohmann(entries));
  }
}

TEST_CASE("msgpack in any form, whole or damaged, is read as nlohmann reads it, or refused where it refuses") {
  RandomMsgpack random(11);
  int accepted = 0, refused = 0;
  for (int round = 0; round < 6000; ++round) {
    // Now and then deeper than the limit of 8.
    const std::string whole = std::string(random.below(8), '\x91') + random.value(/*levels=*/4);
    for (const std::string& bytes : {whole, random.damaged(whole), random.noise(random.below(12))})
      ++(read_alike(bytes) ? accepted : refused);
  }
  CHECK(accepted > 3000);
  CHECK(refused > 3000);
}

TEST_CASE("a length beyond the end is refused before room is made for it") {
  for (const char* head : {"\xdb", "\xc6", "\xc9", "\xdd", "\xdf"}) {
    // Behind the head's length: a text, which may be an element and a key.
    const std::string bytes = std::string(head) + "\xff\xff\xff\xff\xa1k";
    CHECK_THAT(error_of([&] { read_msgpack(OwnedBytes::from_string(bytes), "test"); }),
               holds("test: not msgpack: it ends at byte") && holds("in the middle of a value"));
  }
}

TEST_CASE("a key that comes twice is found in any map, whatever stands between") {
  const auto refusal = [](const std::string& bytes) {
    return error_of([&] { read_msgpack(OwnedBytes::from_string(bytes), "test"); });
  };
  CHECK_THAT(refusal("\x83\xa1k\x01\xa1l\x02\xa1k\x03"), holds("\"k\" comes twice"));
  CHECK_THAT(refusal("\x83\xa1l\x01\xa1k\x02\xd9\x01l\x03"), holds("\"l\" comes twice"));
  CHECK_THAT(refusal("\x92\x01\x82\xa1k\x01\xa1k\x03"), holds("\"k\" comes twice"));
  CHECK(refusal("\x82\xa1l\x81\xa1k\x01\xa1k\x81\xa1l\x01").empty());
}

TEST_CASE("a key that is no text is refused") {
  for (const char* map : {"\x81\x01\x02", "\x81\xc0\x02", "\x81\x91\xa1k\x02"})
    CHECK_THAT(error_of([&] { read_msgpack(OwnedBytes::from_string(map), "test"); }), holds("not text"));
}

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "base/error.hpp"
#include "llm/text/tokenizer/utf8.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"
#include "tests/support/places.hpp"

namespace kvmesh::test {
namespace {

/// What tests/golden/tokenizers/make.py wrote.
const Json& golden() {
  static const Json file = Json::parse(read_text(source_dir() / "tests" / "golden" / "tokenizers" / "golden.json"));
  return file;
}

Json description_of(const Json& entry) {
  Json description = entry["file"];
  if (description["model"] == "pieces") description["model"] = golden()["pieces"];
  return description;
}

std::string digest_of(XXH64_hash_t hash) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

std::vector<std::uint32_t> narrow(const Ids& ids) { return {ids.begin(), ids.end()}; }

std::string digest_of(const Ids& ids) {
  const std::vector<std::uint32_t> numbers = narrow(ids);
  return digest_of(XXH3_64bits(numbers.data(), numbers.size() * sizeof(std::uint32_t)));
}

/// The characters from `first` to below `last`, with an "a" between each two and around them.
std::string characters_between(std::uint32_t first, std::uint32_t last) {
  std::string text = "a";
  for (std::uint32_t character = first; character < last; ++character) {
    llm::utf8::append(text, character);
    text += 'a';
  }
  return text;
}

std::string digest_of_region(const llm::Tokenizer& tokenizer, std::uint32_t first, std::uint32_t last) {
  constexpr std::uint32_t kBlock = 4096;
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (std::uint32_t begin = first; begin < last; begin += kBlock) {
    const std::string text = characters_between(begin, std::min(begin + kBlock, last));
    const std::vector<std::uint32_t> ids = narrow(tokenizer.encode(text, /*add_special=*/true));
    XXH3_64bits_update(&state, ids.data(), ids.size() * sizeof(std::uint32_t));
  }
  return digest_of(XXH3_64bits_digest(&state));
}

TEST_CASE("every component makes of hard texts what tokenizers makes of them") {
  for (const Json& entry : golden()["cases"]) {
    INFO(entry["name"].get<std::string>());
    if (entry.contains("refused")) {
      CHECK_THROWS_AS(load_tokenizer(description_of(entry)), Error);
      continue;
    }
    const llm::Tokenizer tokenizer = load_tokenizer(description_of(entry));
    for (std::size_t index = 0; index < entry["encode"].size(); ++index) {
      const std::string text = golden()["texts"][index].get<std::string>();
      const Json& expected = entry["encode"][index];
      if (expected.is_null()) continue;  // the reference fails, or the installed Oniguruma decides
      INFO(text);
      const Ids ids = tokenizer.encode(text, /*add_special=*/true);
      if (expected.is_string()) {
        CHECK(digest_of(ids) == expected.get<std::string>());
      } else {
        CHECK(ids == expected[0].get<Ids>());
        CHECK(tokenizer.decode(ids, /*skip_special=*/false) == expected[1].get<std::string>());
      }
    }
  }
}

TEST_CASE("every component sees every character as tokenizers sees it") {
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> regions{{0, 0xD800},         {0xE000, 0xE100},
                                                                     {0xF8F0, 0x20000},   {0x2A6D0, 0x2FA20},
                                                                     {0x31340, 0x323C0},  {0xE0000, 0xE0200},
                                                                     {0x10FFF0, 0x110000}};
  for (const Json& entry : golden()["sweeps"]) {
    INFO(entry["name"].get<std::string>());
    const llm::Tokenizer tokenizer = load_tokenizer(description_of(entry));
    REQUIRE(entry["digests"].size() == regions.size());
    for (const auto& [first, last] : regions) {
      char name[9];
      std::snprintf(name, sizeof name, "%x", first);
      INFO("from U+" << name);
      CHECK(digest_of_region(tokenizer, first, last) == entry["digests"][name].get<std::string>());
    }
  }
}

TEST_CASE("tokenizer_config.json adds to tokenizer.json what it adds in transformers") {
  for (const Json& entry : golden()["folders"]) {
    INFO(entry["name"].get<std::string>());
    const TempDir folder;
    folder.write("tokenizer.json", entry["file"].dump());
    folder.write("tokenizer_config.json", entry["config"].dump());
    const llm::Tokenizer tokenizer = llm::Tokenizer::load(folder.path());
    for (const Json& expected : entry["encode"]) {
      INFO(expected[0].get<std::string>());
      const Ids ids = tokenizer.encode(expected[0].get<std::string>(), /*add_special=*/true);
      CHECK(ids == expected[1].get<Ids>());
      CHECK(tokenizer.decode(ids, /*skip_special=*/true) == expected[2].get<std::string>());
    }
  }
}

}  // namespace
}  // namespace kvmesh::test

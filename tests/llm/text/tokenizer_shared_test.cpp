#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>

#include "tests/llm/text/slow_bpe.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"
#include "tests/support/places.hpp"

namespace kvmesh::test {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = source_dir();
const fs::path kTiny = kSource / "models" / "tiny";

/// Real tokenizers that are at hand only where the repository is worked on.
void match_shared(const std::string& name) {
  const fs::path folder = kSource / ".." / "shared" / "tokenizers" / name;
  if (!fs::exists(folder)) {
    WARN("skipped: " << folder << " is not here");
    SUCCEED();
    return;
  }
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(folder);
  const Json vectors = Json::parse(read_text(folder / "vectors.json"));
  for (const auto& [key, entry] : vectors["cases"].items()) {
    INFO(key);
    const std::string text = entry["text"].get<std::string>();
    const Ids ids = entry["ids"].get<Ids>();
    CHECK(tokenizer.encode(text, /*add_special=*/true) == ids);
    CHECK(spell(tokenizer, text) == entry["tokens"].get<std::vector<std::string>>());
    CHECK(tokenizer.decode(ids, /*skip_special=*/false) == entry["decoded"].get<std::string>());
  }
}

TEST_CASE("GPT-2's tokenizer gives the known encodings") { match_shared("gpt2"); }
TEST_CASE("Llama 2's tokenizer gives the known encodings") { match_shared("llama2"); }

TEST_CASE("the shipped tokenizer gives the golden ids") {
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(kTiny);
  const Json golden = Json::parse(read_text(kSource / "tests" / "golden" / "tokenize.json"));
  REQUIRE(golden["tokenize"].size() == 7);
  for (const auto& entry : golden["tokenize"]) {
    CHECK(tokenizer.encode(entry["text"].get<std::string>(), /*add_special=*/false) == entry["ids"].get<Ids>());
  }
}

TEST_CASE("the shipped tokenizer takes hard texts there and back, streamed or not") {
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(kTiny);
  for (const std::string& text : hard_texts()) {
    const Ids ids = tokenizer.encode(text, /*add_special=*/false);
    CHECK(tokenizer.decode(ids, /*skip_special=*/false) == text);
    llm::StreamingDecoder decoder(tokenizer);
    std::string streamed;
    for (const std::int64_t id : ids) streamed += decoder.push(id);
    CHECK(streamed == text);
    CHECK(decoder.flush().empty());
  }
}

TEST_CASE("the shipped tokenizer's special tokens are found in text and skipped on demand") {
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(kTiny);
  const std::int64_t end = tokenizer.find_id("<|im_end|>").value();
  CHECK(tokenizer.is_special(end));
  CHECK(tokenizer.vocab_size() == 1280);
  const Ids ids = tokenizer.encode("yes<|im_end|>", /*add_special=*/false);
  CHECK(ids.back() == end);
  CHECK(tokenizer.decode(ids, /*skip_special=*/true) == "yes");
  CHECK(tokenizer.decode(ids, /*skip_special=*/false) == "yes<|im_end|>");
}

/// The shortest of a few runs, in seconds: the one that others disturbed least.
double time_to_encode(const llm::Tokenizer& tokenizer, std::string_view text) {
  double best = 1e9;
  for (int run = 0; run < 3; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const Ids ids = tokenizer.encode(text, /*add_special=*/false);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    REQUIRE(tokenizer.decode(ids, /*skip_special=*/false) == text);
  }
  return best;
}

TEST_CASE("four times the text takes about four times the time, also where it is one long word") {
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(kTiny);
  constexpr std::size_t kPart = 250000;
  std::string mixed, letters;
  while (mixed.size() < 4 * kPart) mixed += "The cat sat on mats; 12345 of them.\n\tAnd then? ";
  for (std::uint32_t state = 1; letters.size() < 4 * kPart; state = state * 1664525 + 1013904223)
    letters += static_cast<char>('a' + (state >> 16) % 26);
  for (const std::string& text : {mixed, letters, std::string(4 * kPart, 'e'), std::string(4 * kPart, ' '),
                                  std::string(4 * kPart, '\n'), std::string(4 * kPart, '7')}) {
    INFO(text.substr(0, 20));
    const double part = time_to_encode(tokenizer, std::string_view(text).substr(0, kPart));
    CHECK(time_to_encode(tokenizer, text) < 9 * part);  // quadratic would be 16
  }
}

TEST_CASE("the queue merges what the definition of BPE merges") {
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(kTiny);
  const SlowBpe slow(nlohmann::json::parse(read_text(kTiny / "tokenizer.json"))["model"]);
  std::uint32_t state = 7;
  const std::string letters = "etaoinshrdlucmfw";
  for (int round = 0; round < 500; ++round) {
    std::string word;
    for (int length = 1 + round % 40; length > 0; --length) {
      state = state * 1664525 + 1013904223;
      word += letters[state >> 28];
    }
    REQUIRE(tokenizer.encode(word, /*add_special=*/false) == slow.encode(word));
  }
}

}  // namespace
}  // namespace kvmesh::test

#include <catch2/catch.hpp>

#include "llm/decode/answer_text.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"

namespace kvmesh::test {
namespace {

/// Letters, each a token, a special one, and the two bytes of an é.
llm::Tokenizer letters() {
  Json model = bpe_model({"a", "b", "c", "<0xC3>", "<0xA9>"}, {});
  model["byte_fallback"] = true;
  return load_tokenizer(
      {{"model", model},
       {"decoder", {{"type", "Sequence"}, {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}}},
       {"added_tokens", {added_token(5, "<end>"), added_token(6, "<x>")}}});
}

std::string answer(const std::vector<std::string>& stop, const Ids& ids, std::optional<std::int64_t> stop_token = {}) {
  const llm::Tokenizer tokenizer = letters();
  return llm::answer_text(tokenizer, stop, ids, stop_token);
}

TEST_CASE("an answer ends before a stop string that names or spans a special token") {
  CHECK(answer({"<end>"}, {0, 5, 1}) == "a");
  CHECK(answer({"b<end>"}, {0, 1, 5, 1}) == "a");
  CHECK(answer({"<end>b"}, {0, 5, 0, 5, 1}) == "aa");
  CHECK(answer({"ab"}, {2, 0, 6, 1, 2}) == "c");
  CHECK(answer({}, {0, 5, 1}) == "ab");
}

TEST_CASE("the stop token that ended an answer counts for its stop strings") {
  CHECK(answer({"b<end>"}, {0, 1}, 5) == "a");
  CHECK(answer({"b<x>"}, {0, 1}, 5) == "ab");
  CHECK(answer({"b<x>"}, {0, 1}, 99) == "ab");
}

TEST_CASE("tokens that reach into the stop string are not counted as before it") {
  const llm::Tokenizer tokenizer = letters();
  const auto before = [&](const std::string& stop, const Ids& ids) {
    llm::AnswerText text(tokenizer, {stop});
    for (const std::int64_t id : ids) text.push(id);
    text.finish();
    REQUIRE(text.stopped());
    return text.tokens_before_stop();
  };
  CHECK(before("c", {0, 1, 2}) == 2);
  CHECK(before("b<end>c", {0, 6, 1, 5, 2}) == 2);
  CHECK(before("<end>", {5, 0}) == 0);
  CHECK(before("é", {0, 3, 4, 1}) == 1);
}

}  // namespace
}  // namespace kvmesh::test

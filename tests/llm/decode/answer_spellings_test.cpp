#include "llm/decode/answer_spellings.hpp"

#include "tests/llm/text/tokenizer_fixture.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

using Spelled = std::vector<std::vector<std::string>>;

Spelled spelled(const Tokenizer& tokenizer, std::string_view answer) {
  Spelled out;
  for (const Ids& ids : answer_spellings(tokenizer, answer)) out.push_back(spell_ids(tokenizer, ids));
  return out;
}

std::vector<std::string> texts(const Tokenizer& tokenizer, std::string_view answer) {
  std::vector<std::string> out;
  for (const Ids& ids : answer_spellings(tokenizer, answer)) out.push_back(tokenizer.decode(ids, false));
  return out;
}

/// A SentencePiece model as it is converted for Llama: a space stands before every text, and a BOS.
Json sentencepiece() {
  Json model = bpe_model({"<s>", "<0x0A>", "▁", "A", ":", "p", "a", "r", "i", "s", "P"},
                         {{"a", "r"}, {"i", "s"}, {"p", "ar"}, {"P", "ar"}, {"▁", "par"}});
  model["byte_fallback"] = true;
  return {{"added_tokens", {added_token(0, "<s>")}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "▁"}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"pair", Json::array()},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {0}}, {"tokens", {"<s>"}}}}}}}},
          {"decoder", nullptr},
          {"model", model}};
}

}  // namespace

TEST_CASE("an answer is spelt as it stands, with a space before it, and with a capital") {
  const Tokenizer tokenizer = Tokenizer::load(source_dir() / "models/solver");
  CHECK(texts(tokenizer, "green tea") == std::vector<std::string>{"green tea", " green tea", "Green tea"});
  CHECK(texts(tokenizer, "élan") == std::vector<std::string>{"élan", " élan", "Élan"});
}

TEST_CASE("spellings that are the same come once") {
  const Tokenizer tokenizer = Tokenizer::load(source_dir() / "models/solver");
  CHECK(texts(tokenizer, "Lyon") == std::vector<std::string>{"Lyon", " Lyon"});
  CHECK(texts(tokenizer, "1612") == std::vector<std::string>{"1612", " 1612"});
}

TEST_CASE("white space around an answer is none of it, and an answer of nothing else has no spelling") {
  const Tokenizer tokenizer = Tokenizer::load(source_dir() / "models/solver");
  CHECK(answer_spellings(tokenizer, " \tLyon\n") == answer_spellings(tokenizer, "Lyon"));
  CHECK(answer_spellings(tokenizer, "").empty());
  CHECK(answer_spellings(tokenizer, " \n ").empty());
}

TEST_CASE("a spelling with a space has the tokens that the words have within a sentence") {
  const Tokenizer tokenizer = Tokenizer::load(source_dir() / "models/solver");
  CHECK(answer_spellings(tokenizer, "Lyon")[1] == tokenizer.encode(" Lyon", false));
}

TEST_CASE("what a tokenizer puts at the start of a text is in no spelling: neither its space nor its BOS") {
  const Tokenizer tokenizer = load_tokenizer(sentencepiece());
  REQUIRE(spell(tokenizer, "paris") == std::vector<std::string>{"▁par", "is"});
  CHECK(spelled(tokenizer, "paris") == Spelled{{"par", "is"}, {"▁par", "is"}, {"Par", "is"}});
}

TEST_CASE("a special token that an answer names is not part of the target") {
  const Tokenizer tokenizer = Tokenizer::load(source_dir() / "models/solver");
  CHECK(answer_spellings(tokenizer, "Lyon<|im_end|>") == answer_spellings(tokenizer, "Lyon"));
  CHECK(answer_spellings(tokenizer, "<|im_end|>").empty());
}

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>

#include "base/error.hpp"
#include "llm/text/tokenizer/byte_level.hpp"
#include "llm/text/tokenizer/utf8.hpp"
#include "tests/llm/text/slow_bpe.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"

namespace kvmesh::test {
namespace {

using Words = std::vector<std::string>;

std::vector<std::string> byte_characters() {
  std::vector<std::string> out;
  for (int byte = 0; byte < 256; ++byte) out.push_back(llm::byte_level::spell(std::string(1, static_cast<char>(byte))));
  return out;
}

Json byte_level_step(bool use_regex, bool add_prefix_space = false) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"use_regex", use_regex}};
}

Json byte_level_tokenizer() {
  return {{"model", bpe_model(byte_characters(), {{"h", "e"}, {"l", "l"}, {"he", "ll"}, {"Ġ", "w"}, {"hell", "o"}})},
          {"pre_tokenizer", byte_level_step(true)},
          {"decoder", {{"type", "ByteLevel"}}}};
}

/// SentencePiece's manner: a visible space in front, bytes for what the vocabulary lacks.
Json byte_fallback_tokenizer() {
  std::vector<std::string> characters{"<unk>", "▁", "a", "b", "c"};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    characters.emplace_back(name);
  }
  Json model = bpe_model(characters, {{"a", "b"}, {"▁", "ab"}, {"▁", "▁"}});
  model["byte_fallback"] = true;
  model["unk_token"] = "<unk>";
  const Json space = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
  const Json unspace = {{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}};
  return {{"normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", "▁"}}, space}}}},
          {"model", model},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {unspace,
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}},
              {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}}};
}

/// A tokenizer of letters without merges, so that pieces show as what the pre-tokenizer made of them.
Words pieces(const Json& pre_tokenizer, const std::string& text, std::vector<std::string> expected) {
  Json description = {{"model", bpe_model({"?"}, {})}, {"pre_tokenizer", pre_tokenizer}};
  for (const std::string& piece : expected)
    description["model"]["vocab"].emplace(piece, description["model"]["vocab"].size());
  description["model"]["ignore_merges"] = true;
  description["model"]["unk_token"] = "?";
  return spell(load_tokenizer(description), text);
}

std::string random_text(std::uint32_t& state) {
  const auto next = [&](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  std::string text;
  for (std::uint32_t count = next(30); count > 0; --count) {
    const std::uint32_t limit = std::array<std::uint32_t, 5>{0x80, 0x80, 0x800, 0x10000, 0x110000}[next(5)];
    std::uint32_t character = next(limit);
    if (character >= 0xD800 && character < 0xE000) character = ' ';
    llm::utf8::append(text, character);
  }
  return text;
}

TEST_CASE("merges go by rank and leave the rest in bytes") {
  const llm::Tokenizer tokenizer = load_tokenizer(byte_level_tokenizer());
  CHECK(spell(tokenizer, "hello world") == Words{"hello", "Ġw", "o", "r", "l", "d"});
  CHECK(spell(tokenizer, "é\n") == Words{"Ã", "©", "Ċ"});
}

TEST_CASE("ten thousand random texts survive byte-level encoding, whole and streamed") {
  const llm::Tokenizer tokenizer = load_tokenizer(byte_level_tokenizer());
  std::uint32_t state = 1;
  for (int round = 0; round < 10000; ++round) {
    const std::string text = random_text(state);
    const Ids ids = tokenizer.encode(text, /*add_special=*/false);
    REQUIRE(tokenizer.decode(ids, /*skip_special=*/false) == text);
    llm::StreamingDecoder decoder(tokenizer);
    std::string streamed;
    for (const std::int64_t id : ids) {
      const std::string part = decoder.push(id);
      REQUIRE(llm::utf8::is_valid(part));
      streamed += part;
    }
    REQUIRE(streamed + decoder.flush() == text);
  }
}

TEST_CASE("random texts survive byte fallback, whole and streamed") {
  const llm::Tokenizer tokenizer = load_tokenizer(byte_fallback_tokenizer());
  std::uint32_t state = 2;
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random_text(state);
    if (text.find("▁") != std::string::npos) continue;
    const Ids ids = tokenizer.encode(text, /*add_special=*/false);
    llm::StreamingDecoder decoder(tokenizer);
    std::string streamed;
    for (const std::int64_t id : ids) streamed += decoder.push(id);
    streamed += decoder.flush();
    REQUIRE(streamed == text);
    REQUIRE(tokenizer.decode(ids, /*skip_special=*/false) == text);
  }
}

TEST_CASE("streaming random ids gives what decoding them together gives") {
  std::uint32_t state = 3;
  for (const Json& description : {byte_level_tokenizer(), byte_fallback_tokenizer()}) {
    const llm::Tokenizer tokenizer = load_tokenizer(description);
    for (int round = 0; round < 300; ++round) {
      Ids ids;
      for (int count = 0; count < 20; ++count) {
        state = state * 1664525 + 1013904223;
        ids.push_back((state >> 8) % (tokenizer.vocab_size() + 3));
      }
      llm::StreamingDecoder decoder(tokenizer);
      std::string streamed;
      for (const std::int64_t id : ids) streamed += decoder.push(id);
      streamed += decoder.flush();
      REQUIRE(llm::utf8::is_valid(streamed));
      REQUIRE(streamed == tokenizer.decode(ids, /*skip_special=*/true));
    }
  }
}

TEST_CASE("bytes that are not UTF-8 count as replacement characters") {
  const llm::Tokenizer tokenizer = load_tokenizer(byte_level_tokenizer());
  const auto there_and_back = [&](std::string_view bytes) {
    return tokenizer.decode(tokenizer.encode(bytes, /*add_special=*/false), /*skip_special=*/false);
  };
  CHECK(there_and_back("a\xFFz") == "a\uFFFDz");
  CHECK(there_and_back("\xE2\x82") == "\uFFFD");
  CHECK(there_and_back("\xC0\xAF") == "\uFFFD\uFFFD");
  CHECK(there_and_back("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("half a character at the end of a stream comes out as one replacement character") {
  const llm::Tokenizer tokenizer = load_tokenizer(byte_level_tokenizer());
  llm::StreamingDecoder decoder(tokenizer);
  const Ids ids = tokenizer.encode("\U0001F642", /*add_special=*/false);
  REQUIRE(ids.size() == 4);
  for (std::size_t index = 0; index < 3; ++index) CHECK(decoder.push(ids[index]).empty());
  CHECK(decoder.flush() == "\uFFFD");
  CHECK(decoder.push(tokenizer.find_id("h").value()) == "h");
}

TEST_CASE("byte fallback spells what the vocabulary lacks") {
  const llm::Tokenizer tokenizer = load_tokenizer(byte_fallback_tokenizer());
  CHECK(spell(tokenizer, "ab c") == Words{"▁ab", "▁", "c"});
  CHECK(spell(tokenizer, "é") == Words{"▁", "<0xC3>", "<0xA9>"});
  CHECK(tokenizer.decode(tokenizer.encode("ab é", false), false) == "ab é");
}

TEST_CASE("a broken run of byte tokens is one replacement character a byte") {
  const llm::Tokenizer tokenizer = load_tokenizer(byte_fallback_tokenizer());
  const Ids ids{*tokenizer.find_id("<0xC3>"), *tokenizer.find_id("<0x41>"), *tokenizer.find_id("a")};
  CHECK(tokenizer.decode(ids, false) == "\uFFFD\uFFFDa");
}

TEST_CASE("unknown characters become the unknown token, fused where asked") {
  Json description = {{"model", bpe_model({"<unk>", "a"}, {})}};
  CHECK(spell(load_tokenizer(description), "xxa") == Words{"a"});
  description["model"]["unk_token"] = "<unk>";
  CHECK(spell(load_tokenizer(description), "xxa") == Words{"<unk>", "<unk>", "a"});
  description["model"]["fuse_unk"] = true;
  CHECK(spell(load_tokenizer(description), "xxaxx") == Words{"<unk>", "a", "<unk>"});
}

TEST_CASE("a long word without a pre-tokenizer is cut only where nothing could be merged") {
  const Json model = bpe_model({"a", "b", "c", "d"}, {{"a", "b"}, {"b", "c"}, {"c", "d"}, {"ab", "cd"}, {"d", "a"}});
  const llm::Tokenizer tokenizer = load_tokenizer({{"model", model}});
  const SlowBpe slow(model);
  std::uint32_t state = 5;
  for (int round = 0; round < 500; ++round) {
    std::string word;
    for (int length = 0; length < 1 + round / 5; ++length) {
      state = state * 1664525 + 1013904223;
      word += "abcd"[state >> 30];
    }
    REQUIRE(tokenizer.encode(word, false) == slow.encode(word));
  }
}

TEST_CASE("split behaviours keep, drop and join the matches") {
  const auto split = [](const std::string& behavior, const std::string& pattern) {
    return Json{{"type", "Split"}, {"pattern", {{"String", pattern}}}, {"behavior", behavior}, {"invert", false}};
  };
  CHECK(pieces(split("Removed", "-"), "ab--c", {"ab", "c"}) == Words{"ab", "c"});
  CHECK(pieces(split("Isolated", "-"), "ab--c", {"ab", "-", "c"}) == Words{"ab", "-", "-", "c"});
  CHECK(pieces(split("MergedWithPrevious", "-"), "ab--c", {"ab-", "-", "c"}) == Words{"ab-", "-", "c"});
  CHECK(pieces(split("MergedWithNext", "-"), "ab--c", {"ab", "-", "-c"}) == Words{"ab", "-", "-c"});
  CHECK(pieces(split("Contiguous", "-"), "ab--c", {"ab", "--", "c"}) == Words{"ab", "--", "c"});
}

TEST_CASE("an inverted split takes what the pattern does not match") {
  const Json step = {{"type", "Split"}, {"pattern", {{"Regex", "[a-z]+"}}}, {"behavior", "Removed"}, {"invert", true}};
  CHECK(pieces(step, "ab 12 cd", {"ab", "cd"}) == Words{"ab", "cd"});
}

TEST_CASE("patterns mean what they mean to Oniguruma") {
  const auto cut = [](const std::string& pattern, const std::string& text, const Words& expected) {
    const Json step = {{"type", "Split"},
                       {"pattern", {{"Regex", pattern}}},
                       {"behavior", "Isolated"},
                       {"invert", false}};
    INFO(pattern);
    CHECK(pieces(step, text, expected) == expected);
  };
  cut("[a[bc]]+", "xabcx", {"x", "abc", "x"});            // a class within a class adds to it
  cut("[a-z&&[^b]]+", "abc", {"a", "b", "c"});            // an intersection
  cut("^b", "a\nb", {"a\n", "b"});                        // ^ is the start of any line
  cut("\\bab\\b", "ab abe\u0301", {"ab", " abe\u0301"});  // a mark is part of a word
}

TEST_CASE("digits, punctuation and white space are cut as their names say") {
  CHECK(pieces({{"type", "Digits"}, {"individual_digits", true}}, "a12", {"a", "1", "2"}) == Words{"a", "1", "2"});
  CHECK(pieces({{"type", "Digits"}, {"individual_digits", false}}, "a12b", {"a", "12", "b"}) == Words{"a", "12", "b"});
  CHECK(pieces({{"type", "Punctuation"}}, "a,b", {"a", ",", "b"}) == Words{"a", ",", "b"});
  CHECK(pieces({{"type", "WhitespaceSplit"}}, " a,b\u3000c ", {"a,b", "c"}) == Words{"a,b", "c"});
  CHECK(pieces({{"type", "Whitespace"}}, "a, b", {"a", ",", "b"}) == Words{"a", ",", "b"});
}

TEST_CASE("metaspace puts a visible space in front as its scheme says") {
  const auto step = [](const std::string& scheme) {
    return Json{{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}};
  };
  CHECK(pieces(step("always"), "a b", {"▁a", "▁b"}) == Words{"▁a", "▁b"});
  CHECK(pieces(step("never"), "a b", {"a", "▁b"}) == Words{"a", "▁b"});
  Json description = {{"model", bpe_model({"▁", "a", "b"}, {})},
                      {"pre_tokenizer", step("first")},
                      {"added_tokens", {added_token(3, "<s>")}}};
  CHECK(spell(load_tokenizer(description), "a<s>b") == Words{"▁", "a", "<s>", "b"});
  CHECK(spell(load_tokenizer(description), "<s>b") == Words{"<s>", "b"});
}

TEST_CASE("normalizers rewrite text before it is cut") {
  const auto normalized = [](const Json& normalizer, const std::string& text, const std::string& expected) {
    Json description = {{"normalizer", normalizer}, {"model", bpe_model({"?", expected}, {})}};
    description["model"]["ignore_merges"] = true;
    return spell(load_tokenizer(description), text) == Words{expected};
  };
  CHECK(normalized({{"type", "NFC"}}, "e\u0301", "\u00E9"));
  CHECK(normalized({{"type", "NFD"}}, "\u00E9", "e\u0301"));
  CHECK(normalized({{"type", "NFKC"}}, "\uFB01", "fi"));
  CHECK(normalized({{"type", "Lowercase"}}, "ÀB", "àb"));
  CHECK(normalized({{"type", "Strip"}, {"strip_left", true}, {"strip_right", false}}, " a ", "a "));
  CHECK(normalized({{"type", "Replace"}, {"pattern", {{"Regex", "x+"}}}, {"content", "$1"}}, "axxb", "a$1b"));
}

TEST_CASE("added tokens: the longest wins, and single words stand alone") {
  Json description = byte_level_tokenizer();
  Json word = added_token(302, "cat");
  word["single_word"] = true;
  description["added_tokens"] = {added_token(300, "<a>"), added_token(301, "<a><b>"), word};
  const llm::Tokenizer tokenizer = load_tokenizer(description);
  CHECK(tokenizer.encode("<a><b><a>", false) == Ids{301, 300});
  CHECK(tokenizer.encode("cat", false) == Ids{302});
  CHECK(spell(tokenizer, "cats") == Words{"c", "a", "t", "s"});
}

TEST_CASE("added tokens take the white space that they strip") {
  Json description = byte_level_tokenizer();
  Json token = added_token(300, "<m>");
  token["lstrip"] = true;
  token["rstrip"] = true;
  description["added_tokens"] = {token};
  CHECK(spell(load_tokenizer(description), "a \n<m>\t b") == Words{"a", "<m>", "b"});
}

TEST_CASE("white space between two added tokens belongs to the one that took it first") {
  Json description = byte_level_tokenizer();
  Json greedy = added_token(300, "<m>");
  greedy["rstrip"] = true;
  Json lines = added_token(301, "\n\n");
  lines["lstrip"] = true;
  description["added_tokens"] = {greedy, lines};
  CHECK(spell(load_tokenizer(description), "<m>\n\na") == Words{"<m>", "a"});
}

TEST_CASE("normalized added tokens are found in normalized text") {
  Json token = added_token(300, "Yes");
  token["normalized"] = true;
  Json description = byte_level_tokenizer();
  description["normalizer"] = {{"type", "Lowercase"}};
  description["added_tokens"] = {token};
  CHECK(load_tokenizer(description).encode("YES", false) == Ids{300});
}

TEST_CASE("the post-processor's tokens come on demand only") {
  Json description = byte_level_tokenizer();
  description["added_tokens"] = {added_token(300, "<s>")};
  description["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"}},
        {{"type", "TemplateProcessing"},
         {"single",
          {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
         {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {300}}, {"tokens", {"<s>"}}}}}}}}}};
  const llm::Tokenizer tokenizer = load_tokenizer(description);
  CHECK(tokenizer.encode("h", true) == Ids{300, *tokenizer.find_id("h")});
  CHECK(tokenizer.encode("h", false) == Ids{*tokenizer.find_id("h")});
}

TEST_CASE("add_bos_token and add_eos_token count where the post-processor adds nothing itself") {
  const Json byte_level = {{"type", "ByteLevel"}};
  const Json bert = {{"type", "BertProcessing"}, {"cls", {"<s>", 300}}, {"sep", {"</s>", 301}}};
  const auto encode = [](const Json& post_processor, const Json& config) {
    Json description = byte_level_tokenizer();
    description["added_tokens"] = {added_token(300, "<s>"), added_token(301, "</s>")};
    description["post_processor"] = post_processor;
    const TempDir folder;
    folder.write("tokenizer.json", description.dump());
    folder.write("tokenizer_config.json", config.dump());
    const llm::Tokenizer tokenizer = llm::Tokenizer::load(folder.path());
    CHECK(tokenizer.encode("h", /*add_special=*/false) == Ids{*tokenizer.find_id("h")});
    return spell_ids(tokenizer, tokenizer.encode("h", /*add_special=*/true));
  };
  Json config = {{"bos_token", "<s>"}, {"eos_token", {{"content", "</s>"}}}, {"add_bos_token", true}};
  CHECK(encode(byte_level, config) == Words{"<s>", "h"});
  CHECK(encode(nullptr, config) == Words{"<s>", "h"});
  CHECK(encode(bert, config) == Words{"<s>", "h", "</s>"});
  config["add_eos_token"] = true;
  CHECK(encode(byte_level, config) == Words{"<s>", "h", "</s>"});
  config["add_bos_token"] = false;
  CHECK(encode(byte_level, config) == Words{"h", "</s>"});
  CHECK(encode(byte_level, {{"add_bos_token", true}}) == Words{"h"});
}

TEST_CASE("what is not supported is refused by file and place") {
  const auto refused = [](const std::string& key, const Json& value, const std::string& message) {
    Json description = byte_level_tokenizer();
    description[key] = value;
    CHECK_THROWS_WITH(load_tokenizer(description), Catch::Contains("tokenizer.json") && Catch::Contains(message));
  };
  refused("normalizer", {{"type", "Nmt"}}, "Nmt");
  refused("normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAA"}}, "normalizer.precompiled_charsmap");
  refused("pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "UnicodeScripts"}}}}},
          "pre_tokenizer.pretokenizers[0]");
  refused("decoder", {{"type", "WordPiece"}}, "WordPiece");
  refused("post_processor", {{"type", "Odd"}}, "Odd");
  refused("model", {{"type", "Unigram"}, {"vocab", {{"a", 0}}}, {"unk_id", 7}}, "model.vocab");
  refused("model", {{"type", "Unigram"}, {"vocab", Json::parse(R"([["a", -1.5], ["b", -2]])")}, {"unk_id", 7}},
          "model.unk_id");
  refused("model", {{"type", "WordPiece"}, {"vocab", {{"a", 0}}}},
          "this is a WordPiece model, which belongs to encoders");
  refused("model", {{"vocab", {{"a", 0}}}, {"unk_token", "a"}, {"max_input_chars_per_word", 100}},
          "this is a WordPiece model (the file names no type; its keys say so)");
  refused("model", {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", {"a b"}}}, "\"b\"");
  refused("pre_tokenizer",
          {{"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}, {"invert", false}}, "(a");
}

TEST_CASE("a pattern that Oniguruma does not take is refused in Oniguruma's words") {
  Json description = byte_level_tokenizer();
  description["pre_tokenizer"] = {{"type", "Split"},
                                  {"pattern", {{"Regex", "(a"}}},
                                  {"behavior", "Isolated"},
                                  {"invert", false}};
  CHECK_THROWS_WITH(load_tokenizer(description),
                    Catch::Contains("pre_tokenizer.pattern: the pattern \"(a\" cannot be used: end pattern with "
                                    "unmatched parenthesis"));
}

TEST_CASE("a hostile pattern ends with an error instead of running for ever") {
  const std::string text(3000, 'a');
  for (const char* pattern : {"(a+)+b", "(a|aa)+b", "(?:(a*)*)*b", "(?:a|a?)+b|a"}) {
    INFO(pattern);
    Json description = byte_level_tokenizer();
    description["pre_tokenizer"] = {{"type", "Split"},
                                    {"pattern", {{"Regex", pattern}}},
                                    {"behavior", "Isolated"},
                                    {"invert", false}};
    const llm::Tokenizer tokenizer = load_tokenizer(description);
    const auto start = std::chrono::steady_clock::now();
    try {
      tokenizer.encode(text, /*add_special=*/false);
    } catch (const Error& error) {
      CHECK_THAT(error.what(), Catch::Contains(pattern) && Catch::Contains("takes too"));
      CHECK(error.kind() == ErrorKind::kFixInput);
    }
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  }
}

TEST_CASE("a character that a unigram model has no token for is an error where nothing stands for unknown ones") {
  const Json description = {{"model", {{"type", "Unigram"}, {"vocab", Json::parse(R"([["a", -1.5], ["b", -2]])")}}}};
  CHECK_THROWS_WITH(load_tokenizer(description).encode("ac", false),
                    Catch::Contains("\"c\"") && Catch::Contains("unk_id"));
}

TEST_CASE("a missing or broken tokenizer.json is refused by name") {
  const TempDir folder;
  const auto refused = [&](const std::string& message) {
    CHECK_THROWS_WITH(llm::Tokenizer::load(folder.path()),
                      Catch::Contains("tokenizer.json") && Catch::Contains(message));
  };
  refused("nor is any other tokenizer");
  folder.write("vocab.json", "{}");
  folder.write("merges.txt", "");
  refused("vocab.json and merges.txt, which kvmesh does not read; let transformers 5 write it");
  folder.write("tokenizer.model", "");
  refused("tokenizer.model, which kvmesh does not read; let transformers 5 write it: AutoTokenizer");
  folder.write("qwen.tiktoken", "");
  refused("tiktoken's qwen.tiktoken");
  folder.write("tekken.json", "{}");
  refused("Mistral's tekken.json");
  folder.write("tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n");
  refused("is a git-LFS pointer, not the file itself; run `git lfs pull`");
  folder.write("tokenizer.json", "{\n \"model\": x}");
  refused("tokenizer.json:2:11: ");
  folder.write("tokenizer.json", "[]");
  refused("expected an object");
  folder.write("tokenizer.json", byte_level_tokenizer().dump());
  folder.write("tokenizer_config.json", "{\"eos_token\": 7}");
  CHECK_THROWS_WITH(llm::Tokenizer::load(folder.path()),
                    Catch::Contains("tokenizer_config.json: eos_token: expected a string, found number"));
}

TEST_CASE("a tokenizer.json that is nested a hundred thousand deep is refused, not followed") {
  const TempDir folder;
  for (const std::string key : {"", "{\"pre_tokenizer\":"}) {
    std::string text = key;
    text.append(100000, '[').append(100000, ']');
    folder.write("tokenizer.json", text);
    CHECK_THROWS_WITH(llm::Tokenizer::load(folder.path()), Catch::Contains("nested more than"));
  }
}

}  // namespace
}  // namespace kvmesh::test

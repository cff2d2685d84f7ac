#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "base/error.hpp"
#include "llm/text/chat_template.hpp"
#include "llm/text/stop_tokens.hpp"
#include "tests/llm/text/tokenizer_fixture.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/places.hpp"
#include "tests/support/real_models.hpp"

namespace kvmesh::test {
namespace {

using Catch::Matchers::Contains;

/// What tests/golden/gguf_tokenizers/make.py wrote: texts, and what llama.cpp makes of them.
const Json& golden() {
  static const Json file =
      Json::parse(read_text(source_dir() / "tests" / "golden" / "gguf_tokenizers" / "golden.json"));
  return file;
}

/// The file of models/tiny's vocabulary that make.py gives llama.cpp, for one name of a pre-tokenizer.
GgufWriter merged(const std::optional<std::string>& pre) {
  const Json model = Json::parse(read_text(source_dir() / "models" / "tiny" / "tokenizer.json"))["model"];
  std::vector<std::string> tokens(model["vocab"].size());
  for (const auto& [token, id] : model["vocab"].items()) tokens.at(id.get<std::size_t>()) = token;
  std::vector<std::int32_t> kinds(tokens.size(), 1);
  const auto first = static_cast<std::uint32_t>(tokens.size());
  tokens.insert(tokens.end(), {"<|im_start|>", "<|im_end|>", "<h1>"});
  kinds.insert(kinds.end(), {3, 3, 4});
  std::vector<std::string> merges;
  for (const Json& merge : model["merges"])
    merges.push_back(merge.is_string() ? merge.get<std::string>()
                                       : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  GgufWriter file;
  file.text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.tokens", tokens);
  file.numbers("tokenizer.ggml.token_type", 5, kinds).texts("tokenizer.ggml.merges", merges);
  file.u32("tokenizer.ggml.bos_token_id", first).u32("tokenizer.ggml.eos_token_id", first + 1);
  if (pre) file.text("tokenizer.ggml.pre", *pre);
  return file;
}

/// The scored vocabulary of make.py.
GgufWriter scored() {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> kinds;
  for (const Json& token : golden()["scored"]) {
    tokens.push_back(token[0].get<std::string>());
    scores.push_back(token[1].get<float>());
    kinds.push_back(token[2].get<std::int32_t>());
  }
  GgufWriter file;
  file.text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", tokens);
  file.numbers("tokenizer.ggml.scores", 6, scores).numbers("tokenizer.ggml.token_type", 5, kinds);
  return file;
}

llm::Tokenizer load(const GgufWriter& file) {
  const TempDir folder;
  return llm::Tokenizer::load(file.write(folder.path() / "m.gguf"));
}

std::string refusal(const GgufWriter& file) {
  try {
    load(file);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kFixInput);
    return error.what();
  }
  return "nothing is refused";
}

void match(const llm::Tokenizer& tokenizer, const Json& expected) {
  REQUIRE(expected.size() == golden()["texts"].size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string text = golden()["texts"][i].get<std::string>();
    INFO(text);
    CHECK(tokenizer.encode(text, /*add_special=*/false) == expected[i].get<Ids>());
  }
}

void match_real(const std::string& name) {
  const std::optional<std::filesystem::path> file = find_real_model(name);
  if (!file) {
    SUCCEED();
    return;
  }
  const Json& real = golden()["real"];
  const auto found = std::find_if(real.begin(), real.end(), [&](const Json& entry) { return entry["file"] == name; });
  REQUIRE(found != real.end());
  match(llm::Tokenizer::load(*file), (*found)["ids"]);
}

TEST_CASE("every way to cut text that a GGUF file may name gives llama.cpp's ids") {
  for (const Json& entry : golden()["cases"]) {
    if (!entry.contains("pre")) continue;
    INFO(entry["pre"]);
    match(load(merged(entry["pre"].get<std::string>())), entry["ids"]);
  }
}

TEST_CASE("a scored vocabulary gives llama.cpp's ids, with a space put before the text and without") {
  for (const Json& entry : golden()["cases"]) {
    if (!entry.contains("add_space_prefix")) continue;
    const bool add = entry["add_space_prefix"].get<bool>();
    INFO(add);
    match(load(scored().flag("tokenizer.ggml.add_space_prefix", add)), entry["ids"]);
    if (add) match(load(scored()), entry["ids"]);
  }
}

TEST_CASE("SmolLM2's GGUF file gives llama.cpp's ids") { match_real(kSmolLm2); }
TEST_CASE("Gemma 3's GGUF file gives llama.cpp's ids") { match_real(kGemma3); }

TEST_CASE("a GGUF file that names no way to cut text is cut as llama.cpp cuts it by default") {
  match(load(merged(std::nullopt)), golden()["cases"][0]["ids"]);
  CHECK(golden()["cases"][0]["pre"] == "default");
}

TEST_CASE("a way to cut text that is not known is refused by name, never guessed") {
  CHECK_THAT(refusal(merged("gpt-9")), Contains("m.gguf: \"tokenizer.ggml.pre\" is \"gpt-9\""));
}

TEST_CASE("a tokenizer that is neither merges nor scores is refused by name") {
  GgufWriter file;
  file.text("tokenizer.ggml.model", "t5").texts("tokenizer.ggml.tokens", {"a"});
  CHECK_THAT(refusal(file), Contains("\"tokenizer.ggml.model\" is \"t5\"") && Contains("gpt2") && Contains("llama"));
  CHECK_THAT(refusal(GgufWriter().text("tokenizer.ggml.model", "gpt2")), Contains("tokenizer.ggml.tokens"));
}

TEST_CASE("a GGUF vocabulary that does not fit together is refused with the key") {
  const auto file = [](const std::vector<std::string>& tokens) {
    GgufWriter writer;
    writer.text("tokenizer.ggml.pre", "gpt-2").texts("tokenizer.ggml.tokens", tokens);
    return writer;
  };
  const auto merges = [&](const std::vector<std::string>& tokens, const std::vector<std::string>& pairs) {
    return refusal(file(tokens).text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.merges", pairs));
  };
  CHECK_THAT(merges({"a", "b", "a"}, {}), Contains("tokens: \"a\" stands there twice, the second time as token 2"));
  CHECK_THAT(merges({"a", "\xff"}, {}), Contains("token 1 is no UTF-8"));
  CHECK_THAT(merges({"a", "b"}, {"a b"}), Contains("merges") && Contains("\"ab\", which is not in the vocabulary"));
  CHECK_THAT(merges({"a", "b"}, {"ab"}), Contains("is not two tokens with a space between"));
  CHECK_THAT(merges({}, {}), Contains("\"tokenizer.ggml.tokens\" is empty"));
  CHECK_THAT(refusal(file({"a", "b"})
                         .text("tokenizer.ggml.model", "llama")
                         .numbers("tokenizer.ggml.scores", 6, std::vector<float>{1})),
             Contains("\"tokenizer.ggml.scores\" has 1 numbers for 2 tokens"));
  CHECK_THAT(refusal(file({"a", "b"})
                         .text("tokenizer.ggml.model", "gpt2")
                         .texts("tokenizer.ggml.merges", {})
                         .u32("tokenizer.ggml.eos_token_id", 7)),
             Contains("\"tokenizer.ggml.eos_token_id\" is 7, and there are 2 tokens"));
}

TEST_CASE("raw text gets the tokens around it that the GGUF file asks for") {
  const auto around = [](const GgufWriter& file) { return load(file).encode("", /*add_special=*/true); };
  CHECK(around(scored()) == Ids{1});
  CHECK(around(scored().flag("tokenizer.ggml.add_bos_token", false).flag("tokenizer.ggml.add_eos_token", true)) ==
        Ids{2});
  CHECK(around(merged("qwen2")).empty());
  CHECK(around(merged("llama-bpe")) == around(merged("qwen2").flag("tokenizer.ggml.add_bos_token", true)));
  GgufWriter nameless;
  nameless.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "llama-bpe");
  nameless.texts("tokenizer.ggml.tokens", {"a"}).texts("tokenizer.ggml.merges", {});
  CHECK_THAT(refusal(nameless), Contains("\"tokenizer.ggml.bos_token_id\" is missing"));
}

TEST_CASE("text goes through a GGUF tokenizer and back, streamed or not") {
  for (const llm::Tokenizer& tokenizer : {load(merged("qwen2")), load(scored())}) {
    for (const std::string& text : hard_texts()) {
      const Ids ids = tokenizer.encode(text, /*add_special=*/false);
      CHECK(tokenizer.decode(ids, /*skip_special=*/false) == text);
      llm::StreamingDecoder decoder(tokenizer);
      std::string streamed;
      for (const std::int64_t id : ids) streamed += decoder.push(id);
      CHECK(streamed + decoder.flush() == text);
    }
  }
}

TEST_CASE("control tokens of a GGUF file are special, and those of users are not") {
  const llm::Tokenizer tokenizer = load(scored());
  CHECK(tokenizer.is_special(*tokenizer.find_id("<|im_end|>")));
  CHECK(tokenizer.is_special(*tokenizer.find_id("<unk>")));
  CHECK_FALSE(tokenizer.is_special(*tokenizer.find_id("<h1>")));
  CHECK(spell(tokenizer, "<h1><|im_end|>") == std::vector<std::string>{"<h1>", "<|im_end|>"});
  CHECK(tokenizer.decode(tokenizer.encode("<h1><|im_end|>", false), /*skip_special=*/true) == "<h1>");
  CHECK(tokenizer.eos_token() == 2);
}

TEST_CASE("a token that ends turns is special though the GGUF file calls it normal") {
  GgufWriter file;
  file.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "gpt-2");
  file.texts("tokenizer.ggml.tokens", {"<", ">", "<|im_end|>", "x"}).texts("tokenizer.ggml.merges", {});
  const llm::Tokenizer tokenizer = load(file);
  CHECK(tokenizer.encode("x<|im_end|>", /*add_special=*/false) == Ids{3, 2});
  CHECK(tokenizer.is_special(2));
}

TEST_CASE("bytes that are not UTF-8 count as U+FFFD in a GGUF tokenizer too") {
  const llm::Tokenizer tokenizer = load(scored());
  CHECK(tokenizer.encode("a\xff\xe2\x82", false) == tokenizer.encode("a\uFFFD\uFFFD", false));
}

TEST_CASE("a character without a token or bytes becomes the unknown token, which is the first where no key names it") {
  GgufWriter file;
  file.text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", {"<unk>", "a"});
  file.numbers("tokenizer.ggml.scores", 6, std::vector<float>{0, 0}).flag("tokenizer.ggml.add_space_prefix", false);
  CHECK(load(file.flag("tokenizer.ggml.add_bos_token", false)).encode("ab", /*add_special=*/false) == Ids{1, 0});
}

TEST_CASE("the chat template inside a GGUF file is rendered with the spellings of its tokens") {
  const TempDir folder;
  const auto file =
      scored()
          .u32("tokenizer.ggml.bos_token_id", 1)
          .text("tokenizer.chat_template",
                "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
                "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
          .text("tokenizer.chat_template.tool_use", "{{ tools }}")
          .write(folder.path() / "m.gguf");
  REQUIRE(llm::ChatTemplate::exists(file));
  const llm::ChatTemplate chat = llm::ChatTemplate::load(file);
  CHECK(chat.render_user_turn("Hi") == "<s><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  const llm::Tokenizer tokenizer = llm::Tokenizer::load(file);
  CHECK(llm::gather_stop_tokens({2}, tokenizer, &chat) == Ids{2, *tokenizer.find_id("<|im_end|>")});
  CHECK(chat.render(nlohmann::json{{"messages", nlohmann::json::array()}, {"tools", "T"}}) == "T");
}

TEST_CASE("a GGUF file without a chat template says so") {
  const TempDir folder;
  const auto file = scored().write(folder.path() / "m.gguf");
  CHECK_FALSE(llm::ChatTemplate::exists(file));
  CHECK_THROWS_WITH(llm::ChatTemplate::load(file), Contains("\"tokenizer.chat_template\" is missing"));
}

}  // namespace
}  // namespace kvmesh::test

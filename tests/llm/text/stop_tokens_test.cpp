#include "llm/text/stop_tokens.hpp"

#include <catch2/catch.hpp>

#include "tests/llm/text/tokenizer_fixture.hpp"

namespace kvmesh::test {
namespace {

/// A checkpoint folder's two text files, with letters, "<eos>" as 3, "<|im_end|>" as 4 and "<end_of_turn>" as 5.
llm::Tokenizer tokenizer_with(const Json& config) {
  const TempDir folder;
  Json model = bpe_model({"a", "b", "\n"}, {});
  const Json file = {{"model", model},
                     {"added_tokens",
                      {added_token(3, "<eos>"), added_token(4, "<|im_end|>"), added_token(5, "<end_of_turn>")}}};
  folder.write("tokenizer.json", file.dump());
  folder.write("tokenizer_config.json", config.dump());
  return llm::Tokenizer::load(folder.path());
}

Ids stops(const Ids& from_config, const Json& config, const std::string& source) {
  const llm::ChatTemplate chat = llm::ChatTemplate::parse(source, {});
  return llm::gather_stop_tokens(from_config, tokenizer_with(config), &chat);
}

constexpr const char* kChatMl =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

TEST_CASE("generation ends at the end of turn that the chat template writes, beside what the configuration names") {
  CHECK(stops({3}, Json::object(), kChatMl) == Ids{3, 4});
  CHECK(stops({}, Json::object(), "{{ messages[1].content | trim }} \n<end_of_turn>\n") == Ids{5});
}

TEST_CASE("generation ends at tokenizer_config.json's eos_token where eos_token_id names another") {
  CHECK(stops({3}, {{"eos_token", "<|im_end|>"}}, "{{ messages[0].content }}") == Ids{3, 4});
  CHECK(llm::gather_stop_tokens({3}, tokenizer_with({{"eos_token", {{"content", "<end_of_turn>"}}}}), nullptr) ==
        Ids{3, 5});
}

TEST_CASE("a stop token is listed once") { CHECK(stops({4, 3}, {{"eos_token", "<eos>"}}, kChatMl) == Ids{4, 3}); }

TEST_CASE("a template that ends its turns with plain text, or cannot be used, adds no stop token") {
  CHECK(stops({3}, Json::object(), "{{ messages[1].content }}\nab<|im_end|>") == Ids{3});
  CHECK(stops({3}, Json::object(), "{{ raise_exception('no') }}") == Ids{3});
  CHECK(stops({3}, Json::object(), "{% include 'other' %}") == Ids{3});
}

}  // namespace
}  // namespace kvmesh::test

// Commands on a real model in a GGUF file, where scripts/get-model has fetched it.

#include "tests/cli/lines.hpp"
#include "tests/support/program.hpp"
#include "tests/support/real_models.hpp"

using namespace kvmesh::test;
using Catch::Contains;

namespace {

std::string output_of(std::vector<std::string> arguments, const std::string& input = "") {
  Program program(std::move(arguments), input);
  const int status = program.wait();
  INFO(program.err());
  REQUIRE(status == 0);
  return program.out();
}

}  // namespace

TEST_CASE("inspect shows a GGUF file's types of tensors, its metadata and what it leaves in doubt") {
  const auto file = find_real_model(kSmolLm2);
  if (!file) {
    SUCCEED();
    return;
  }
  const auto facts = nlohmann::json::parse(output_of({"inspect", file->string(), "--json"}));
  CHECK(facts["family"] == "llama");
  CHECK(facts["tensor_types"]["Q4_1"]["tensors"] == 210);
  CHECK(facts["metadata"]["tokenizer.ggml.pre"] == "\"smollm\"");
  CHECK(facts["metadata"]["tokenizer.ggml.tokens"] == "[49152 texts]");
  CHECK_THAT(output_of({"inspect", file->string()}), Contains("Q4_1: tensors 210, bytes "));
  if (const auto gemma = find_real_model(kGemma3))
    CHECK_THAT(output_of({"inspect", gemma->string()}), Contains("tokenizer.chat_template is missing"));
}

TEST_CASE("tokenize, render and generate take a GGUF file") {
  const auto file = find_real_model(kSmolLm2);
  if (!file) {
    SUCCEED();
    return;
  }
  CHECK(nlohmann::json::parse(output_of({"tokenize", file->string()}, "Hello world"))["ids"] ==
        std::vector<int>{19556, 905});
  const TemporaryFolder folder;
  const auto messages =
      folder.write("chat.json", R"({"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": true})");
  CHECK_THAT(output_of({"render", file->string(), "--messages", messages.string()}),
             Contains("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"));
  CHECK_THAT(output_of(
                 {"generate", file->string(), "--prompt", "What is the capital of France?", "--max-tokens", "24"}),
             Contains("Paris"));
}

TEST_CASE("the document example answers from a passage that its solver never saw") {
  if (!find_real_model(kSmolLm2)) {
    SUCCEED();
    return;
  }
  const auto example = source_dir() / "examples" / "document";
  const auto records = lines_of(read_file(example / "questions.jsonl"));
  REQUIRE(records.size() == 60);
  const TemporaryFolder folder;
  std::string some;
  for (std::size_t i = 0; i < records.size(); i += 10) some += records[i].dump() + "\n";
  const auto lines = lines_of(output_of({"run", (example / "topology.yaml").string(), "--input",
                                         folder.write("some.jsonl", some).string(), "--json", "--quiet"}));
  REQUIRE(lines.size() == 6);
  int right = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(lines[i]["edges"][0]["bytes"] > 0);
    const std::string answer = records[10 * i]["answer"].get<std::string>();
    right += lines[i]["output"].get<std::string>().find(answer) != std::string::npos;
  }
  CHECK(right >= 2);
}

// Checkpoint folders as people have them: what stands beside the files that are read, what stands in their place, and
// JSON at its edges. Each error is one line that names the file and what to do.

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "llm/model/check.hpp"
#include "llm/model/config.hpp"
#include "tests/support/model_copy.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using Catch::Contains;

namespace {

constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 3289728\n";

std::string problem_of(const std::filesystem::path& dir) {
  try {
    llm::check_checkpoint(dir);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kFixInput);
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  return "passed";
}

bool noted(const std::filesystem::path& dir, const std::string& text) {
  const std::vector<std::string> notes = llm::check_checkpoint(dir);
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& note) { return note.find(text) != std::string::npos; });
}

/// Every tensor's name becomes what `renamed` makes of it.
template <typename Renamed>
void rename_tensors(ModelCopy& model, Renamed renamed) {
  model.edit_header([&](nlohmann::json& header) {
    nlohmann::json other;
    for (const auto& [name, entry] : header.items()) other[name == "__metadata__" ? name : renamed(name)] = entry;
    header = other;
  });
}

std::string index_of(const nlohmann::json& files) { return nlohmann::json{{"weight_map", files}}.dump(); }

}  // namespace

TEST_CASE("a git-LFS pointer in place of a file is named with the command that fetches the file") {
  for (const char* file : {"model.safetensors", "config.json"}) {
    ModelCopy model;
    ModelCopy::write(model.dir() / file, kPointer);
    CHECK_THAT(problem_of(model.dir()),
               Contains(file) && Contains("git-LFS pointer") && Contains("git lfs pull") && Contains(model.dir()));
  }
  ModelCopy model;
  ModelCopy::write(model.dir() / "model.safetensors.index.json", kPointer);
  CHECK_THAT(problem_of(model.dir()), Contains("index.json") && Contains("git lfs pull"));
  ModelCopy::write(model.dir() / "generation_config.json", kPointer);
  CHECK_THROWS_WITH(llm::read_stop_tokens(model.dir()), Contains("generation_config.json") && Contains("git lfs pull"));
}

TEST_CASE("links that lead nowhere or to themselves are told with their file") {
  for (const char* file : {"model.safetensors", "config.json"}) {
    for (const char* target : {"/nowhere/blob", "itself"}) {
      ModelCopy model;
      std::filesystem::remove(model.dir() / file);
      std::filesystem::create_symlink(target == std::string("itself") ? file : target, model.dir() / file);
      CHECK_THAT(problem_of(model.dir()), Contains(file) && Contains("cannot be opened"));
    }
  }
}

TEST_CASE("truncated weights are one sentence with the file, its size and the size that its header asks for") {
  ModelCopy model;
  const auto whole = std::filesystem::file_size(model.weights());
  std::filesystem::resize_file(model.weights(), whole - 1000);
  CHECK(problem_of(model.dir()) == model.weights().string() + ": is truncated: it has " + std::to_string(whole - 1000) +
                                       " bytes, by its header it should have " + std::to_string(whole) +
                                       "; fetch it again");
}

TEST_CASE("what is not JSON in a folder's files is told with file, line and column") {
  ModelCopy model;
  const std::string config = (model.dir() / "config.json").string();
  ModelCopy::write(config, "{\n \"architectures\": [\"LlamaForCausalLM\"],\n \"rope_theta\": Infinity\n}");
  CHECK_THAT(problem_of(model.dir()), Contains(config + ":3:16: Infinity is not JSON"));
  ModelCopy::write(config, "{\n \"architectures\": [\"LlamaForCausalLM\"],\n \"rms_norm_eps\": NaN\n}");
  CHECK_THAT(problem_of(model.dir()), Contains(config + ":3:18: NaN is not JSON"));
  ModelCopy::write(config, "{\n \"architectures\": [,]\n}");
  CHECK_THAT(problem_of(model.dir()), Contains(config + ":2:20: not JSON"));
  ModelCopy::write(config, "[]");
  CHECK_THAT(problem_of(model.dir()), Contains("config.json: holds array"));

  const std::string generation = (model.dir() / "generation_config.json").string();
  ModelCopy::write(generation, "{\"eos_token_id\": 1,}");
  CHECK_THROWS_WITH(llm::read_stop_tokens(model.dir()), Contains(generation + ":1:"));
  ModelCopy sharded;
  ModelCopy::write(sharded.dir() / "model.safetensors.index.json", "{\"weight_map\":\n {\"a\": 1,}}");
  CHECK_THAT(problem_of(sharded.dir()), Contains("model.safetensors.index.json:2:"));
}

TEST_CASE("a tensor's name that stands twice in a header is an error") {
  ModelCopy model;
  std::string header = model.header_text();
  const std::string name = "\"model.norm.weight\":";
  const std::size_t at = header.find(name);
  REQUIRE(at != std::string::npos);
  const std::string entry = header.substr(at, header.find('}', at) + 1 - at);
  model.set_header_text(header.insert(at, entry + ","));
  CHECK_THAT(problem_of(model.dir()),
             Contains("model.safetensors header:1:") && Contains("\"model.norm.weight\"") && Contains("stands twice"));
}

TEST_CASE("tensors are found without a prefix and behind any that they share, which is noted") {
  for (const std::string prefix : {"", "transformer.", "module.model.", "language_model.model."}) {
    ModelCopy model;
    rename_tensors(model, [&](const std::string& name) { return prefix + name.substr(std::string("model.").size()); });
    INFO("prefix \"" << prefix << "\": " << problem_of(model.dir()));
    CHECK(noted(model.dir(), "behind \"" + prefix + "\""));
  }
}

TEST_CASE("two decoders behind two prefixes are an error that names both") {
  ModelCopy model;
  model.edit_header([](nlohmann::json& header) {
    nlohmann::json both;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      nlohmann::json empty = entry;
      empty["shape"] = {0};
      empty["data_offsets"] = {0, 0};
      both["draft." + name] = empty;
      both["target." + name] = entry;
    }
    header = both;
  });
  CHECK_THAT(problem_of(model.dir()), Contains("\"draft.model.\"") && Contains("\"target.model.\""));
}

TEST_CASE("one of two tied tables serves as both, whichever it is, and an untied model needs both") {
  const std::string embedding = "model.embed_tokens.weight", head = "lm_head.weight";
  ModelCopy model;
  CHECK(problem_of(model.dir()) == "passed");
  rename_tensors(model, [&](const std::string& name) { return name == embedding ? head : name; });
  CHECK(problem_of(model.dir()) == "passed");
  model.set_config("tie_word_embeddings", false);
  CHECK_THAT(problem_of(model.dir()), Contains(embedding) && Contains("missing"));
}

TEST_CASE("weights beside those that are read are noted: the index decides") {
  ModelCopy model;
  nlohmann::json files;
  const nlohmann::json header = nlohmann::json::parse(model.header_text());
  for (const auto& [name, entry] : header.items())
    if (name != "__metadata__") files[name] = "model-00001-of-00001.safetensors";
  ModelCopy::write(model.dir() / "model-00001-of-00001.safetensors", ModelCopy::read(model.weights()));
  ModelCopy::write(model.dir() / "model.safetensors.index.json", index_of(files));
  ModelCopy::write(model.weights(), "stale");
  CHECK(noted(model.dir(), "model.safetensors is not read: the weights are those of model.safetensors.index.json"));
}

TEST_CASE("tensors of a shard that the index does not name are found all the same") {
  ModelCopy model;
  ModelCopy::write(model.dir() / "model-1.safetensors", ModelCopy::read(model.weights()));
  std::filesystem::remove(model.weights());
  ModelCopy::write(model.dir() / "model.safetensors.index.json",
                   index_of({{"model.norm.weight", "model-1.safetensors"}}));
  CHECK(problem_of(model.dir()) == "passed");
}

TEST_CASE("an adapter in the folder is refused, since nobody applies it") {
  ModelCopy model;
  ModelCopy::write(model.dir() / "adapter_config.json", R"({"peft_type": "LORA"})");
  CHECK_THAT(problem_of(model.dir()), Contains("adapter_config.json") && Contains("merge it"));
}

TEST_CASE("tensors of the decoder that the config has no use for are noted") {
  ModelCopy model;
  model.edit_header([](nlohmann::json& header) {
    header["model.layers.0.self_attn.q_proj.bias"] = {{"dtype", "BF16"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
    header["model.layers.0.self_attn.rotary_emb.inv_freq"] = {{"dtype", "F32"},
                                                              {"shape", {0}},
                                                              {"data_offsets", {0, 0}}};
  });
  CHECK(noted(model.dir(), "config.json has no use for \"model.layers.0.self_attn.q_proj.bias\"; it is left out"));
  CHECK(llm::check_checkpoint(model.dir()).size() == 1);
}

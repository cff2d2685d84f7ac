// inspect, logits and generate on a tiny checkpoint of every family.

#include <nlohmann/json.hpp>

#include "tests/support/program.hpp"
#include "tests/support/tiny_checkpoint.hpp"
#include "tests/support/tiny_families.hpp"

using namespace kvmesh::test;
using Catch::Contains;

namespace {

std::string output_of(std::vector<std::string> arguments) {
  Program program(std::move(arguments));
  const int status = program.wait();
  INFO(program.err());
  REQUIRE(status == 0);
  return program.out();
}

}  // namespace

TEST_CASE("inspect and generate work on a checkpoint of every family") {
  for (const TinyFamily& family : tiny_families()) {
    INFO(family.name);
    TemporaryFolder folder;
    const TinyCheckpoint checkpoint(family.config);
    checkpoint.write(folder.path(), /*shards=*/2);
    TinyCheckpoint::write_tokenizer(folder.path());
    const std::string dir = folder.path().string();
    const auto facts = nlohmann::json::parse(output_of({"inspect", dir, "--json"}));
    CHECK(facts["architecture"] == checkpoint.architecture());
    CHECK(facts["num_hidden_layers"] == checkpoint.text()["num_hidden_layers"]);
    CHECK(facts["head_dim"] == checkpoint.head_dim());
    CHECK(facts["kv_bytes_per_token"] ==
          2 * 4 * checkpoint.text()["num_hidden_layers"].get<int>() * checkpoint.kv_heads() * checkpoint.head_dim());
    Program generate({"generate", dir, "--raw", "--prompt", "Where is it?", "--max-tokens", "3"});
    CHECK(generate.wait() == 0);
    CHECK(generate.err() == "");
  }
}

TEST_CASE("inspect shows RoPE, windows, notes and unused tensors") {
  TemporaryFolder folder;
  const auto families = tiny_families();
  const TinyFamily& family = families.back();
  REQUIRE(family.name == "Gemma 3, text part of a multimodal checkpoint");
  TinyCheckpoint checkpoint(family.config);
  checkpoint.add("vision_tower.patch.weight", {2, 2}, 0, 1);
  checkpoint.write(folder.path());
  const auto facts = nlohmann::json::parse(output_of({"inspect", folder.path().string(), "--json"}));
  CHECK(facts["rope_theta"] == 1e6);
  CHECK(facts["rope_scaling"]["factor"] == 8.0);
  CHECK(facts["rope_theta_of_sliding_layers"] == 1e4);
  CHECK(facts["sliding_window"] == 9);
  CHECK(facts["sliding_layers"] == "0-4,6");
  CHECK(facts["unused_tensors"] == nlohmann::json{"vision_tower.patch.weight"});
  CHECK_THAT(facts["notes"][0].get<std::string>(), Contains("rope_theta 1000000.0"));
  CHECK_THAT(output_of({"inspect", folder.path().string()}), Contains("vision_tower.patch.weight"));
}

TEST_CASE("inspect names a missing tensor instead of describing a model that cannot be loaded") {
  TemporaryFolder folder;
  TinyCheckpoint checkpoint(tiny_config("Qwen3ForCausalLM", {}));
  checkpoint.weights().erase("model.layers.2.self_attn.q_norm.weight");
  checkpoint.write(folder.path());
  Program program({"inspect", folder.path().string()});
  CHECK(program.wait() == 2);
  CHECK_THAT(program.err(), Contains("model.layers.2.self_attn.q_norm.weight") && Contains("missing"));
}

#include <ATen/ATen.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "agents/llm/checkpoint.hpp"
#include "agents/llm/config.hpp"
#include "cli/commands.hpp"
#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

/// What the weights are stored in: the dtype of the embedding table, which every decoder has.
at::ScalarType stored_dtype(const llm::Checkpoint& checkpoint, const llm::ModelConfig& config) {
  return checkpoint.get("model.embed_tokens.weight", {config.vocab_size, config.hidden_size}).scalar_type();
}

int inspect(const std::string& model_dir, bool as_json) {
  const llm::ModelConfig config = llm::read_config(model_dir);
  const llm::Checkpoint checkpoint = llm::Checkpoint::open(model_dir);
  const at::ScalarType dtype = stored_dtype(checkpoint, config);
  const auto element = static_cast<std::int64_t>(c10::elementSize(dtype));
  const nlohmann::ordered_json facts = {{"family", config.family},
                                        {"architecture", config.architecture},
                                        {"num_hidden_layers", config.num_hidden_layers},
                                        {"hidden_size", config.hidden_size},
                                        {"intermediate_size", config.intermediate_size},
                                        {"num_attention_heads", config.num_attention_heads},
                                        {"num_key_value_heads", config.num_key_value_heads},
                                        {"head_dim", config.head_dim},
                                        {"vocab_size", config.vocab_size},
                                        {"max_position_embeddings", config.max_position_embeddings},
                                        {"rope_theta", config.ropes.front().theta},
                                        {"tie_word_embeddings", config.tie_word_embeddings},
                                        {"dtype", c10::toString(dtype)},
                                        {"parameters", checkpoint.parameter_count()},
                                        {"kv_bytes_per_token", llm::kv_bytes_per_token(config, element)},
                                        {"fingerprint", checkpoint.fingerprint()}};
  if (as_json) {
    std::cout << facts.dump() << '\n';
    return kExitOk;
  }
  Table table({"", model_dir});
  for (const auto& [name, value] : facts.items())
    table.add({name, value.is_string() ? value.get<std::string>() : value.dump()});
  table.print(std::cout);
  return kExitOk;
}

}  // namespace

void add_inspect_command(CLI::App& app, Action& action) {
  struct Arguments {
    std::string model_dir;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("inspect", "print what a checkpoint folder holds");
  command->add_option("model_dir", arguments->model_dir, "a Hugging Face checkpoint folder")->required();
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback(
      [&action, arguments] { action = [arguments] { return inspect(arguments->model_dir, arguments->json); }; });
}

}  // namespace kvmesh::cli

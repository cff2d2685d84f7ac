#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/error.hpp"
#include "base/instruction_set.hpp"
#include "cli/commands.hpp"
#include "cli/gguf_facts.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/table.hpp"
#include "llm/model/check.hpp"
#include "llm/model/config.hpp"
#include "llm/model/weights.hpp"
#include "llm/runtime.hpp"
#include "orchestrator/model_path.hpp"

namespace kvmesh::cli {
namespace {

/// "0-4,6": layers for which `is` holds.
template <typename Is>
std::string layers_where(const llm::ModelConfig& config, Is is) {
  std::string text;
  const std::size_t layers = config.layers.size();
  for (std::size_t begin = 0, end = 0; begin < layers; begin = end + 1) {
    for (end = begin; end < layers && is(config.layers[end]); ++end) {
    }
    if (end == begin) continue;
    text += (text.empty() ? "" : ",") + std::to_string(begin);
    if (end - begin > 1) text += "-" + std::to_string(end - 1);
  }
  return text;
}

nlohmann::ordered_json positions_of(const llm::ModelConfig& config) {
  nlohmann::ordered_json facts = {{"max_position_embeddings", config.max_position_embeddings},
                                  {"rope_theta", config.ropes.front().theta}};
  if (const std::string scaling = config.ropes.front().scaling_json(); !scaling.empty())
    facts["rope_scaling"] = nlohmann::json::parse(scaling);
  if (config.ropes.size() > 1) facts["rope_theta_of_sliding_layers"] = config.ropes[1].theta;
  for (const llm::LayerAttention& layer : config.layers)
    if (layer.window) facts["sliding_window"] = *layer.window;
  if (facts.contains("sliding_window"))
    facts["sliding_layers"] =
        layers_where(config, [](const llm::LayerAttention& layer) { return layer.window.has_value(); });
  return facts;
}

/// What weights are computed with, and keys and values kept in, where the command line does not say.
at::ScalarType compute_type_of(llm::StoredDtype stored) {
  return llm::is_quantised(stored) ? at::kFloat : llm::scalar_type_of(stored);
}

/// What this processor makes of products with these weights.
std::string products_of(llm::StoredDtype stored) {
  const at::ScalarType dtype = compute_type_of(stored);
  const at::ScalarType product = llm::product_type(dtype);
  const std::string how = llm::is_quantised(stored) ? ", from quantised weights"
                          : product == dtype        ? ""
                                                    : ", from weights that are widened piece by piece";
  return cat("in ", c10::toString(product), how, "; kernels for ", to_string(instruction_set()));
}

/// "text", "12", "tensors 3, bytes 12".
std::string cell_of(const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return value.dump();
  std::string text;
  for (const auto& [name, inner] : value.items()) text += cat(text.empty() ? "" : ", ", name, ' ', cell_of(inner));
  return text;
}

void print_table(const nlohmann::ordered_json& facts, const std::filesystem::path& model, std::ostream& out) {
  Table table({"", model.string()});
  for (const auto& [name, value] : facts.items()) {
    if (value.is_array())
      for (const auto& line : value) table.add({name, cell_of(line)});
    else if (value.is_object() && name != "rope_scaling")
      for (const auto& [key, inner] : value.items()) table.add({name, cat(key, ": ", cell_of(inner))});
    else table.add({name, value.is_object() ? value.dump() : cell_of(value)});
  }
  table.print(out);
}

int inspect(const std::filesystem::path& model, bool as_json, std::ostream& out) {
  const llm::ModelConfig config = llm::read_config(model);
  const llm::Checkpoint checkpoint = llm::Checkpoint::open(model);
  const llm::WeightSources weights = llm::find_weights(checkpoint, config);
  const auto element = static_cast<std::int64_t>(c10::elementSize(compute_type_of(weights.dtype)));
  // A GGUF file is told from others by some of its pages; `check --deep` reads all of it.
  const std::string fingerprint = checkpoint.is_gguf()
                                      ? checkpoint.fingerprint()
                                      : checkpoint.fingerprint(llm::read_every_number(checkpoint, weights));
  nlohmann::ordered_json facts = {{"family", config.family},
                                  {"architecture", config.architecture},
                                  {"num_hidden_layers", config.num_hidden_layers},
                                  {"hidden_size", config.hidden_size},
                                  {"intermediate_size", config.intermediate_size},
                                  {"num_attention_heads", config.num_attention_heads},
                                  {"num_key_value_heads", config.num_key_value_heads},
                                  {"head_dim", config.head_dim},
                                  {"vocab_size", config.vocab_size}};
  facts.update(positions_of(config));
  facts.update({{"tie_word_embeddings", config.tie_word_embeddings},
                {"dtype", llm::name_of(weights.dtype)},
                {"products", products_of(weights.dtype)},
                {"parameters", checkpoint.parameter_count()},
                {"kv_bytes_per_token", llm::kv_bytes_per_token(config, element)},
                {"fingerprint", fingerprint}});
  if (!weights.unused.empty()) facts["unused_tensors"] = weights.unused;
  std::vector<std::string> notes = config.notes;
  notes.insert(notes.end(), weights.notes.begin(), weights.notes.end());
  if (checkpoint.is_gguf()) facts.update(gguf_facts(checkpoint, notes));
  if (!notes.empty()) facts["notes"] = notes;
  if (as_json) {
    out << facts.dump() << '\n';
    return kExitOk;
  }
  print_table(facts, model, out);
  return kExitOk;
}

}  // namespace

void add_inspect_command(Command app) {
  struct Arguments {
    std::string model;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("inspect", summary_of("inspect"));
  command.option("model", arguments->model, orchestrator::kModelPathHelp).required();
  command.flag("--json", arguments->json, "Print one JSON object");
  command.runs([arguments](std::ostream& out) {
    return inspect(orchestrator::resolve_model(arguments->model), arguments->json, out);
  });
}

}  // namespace kvmesh::cli

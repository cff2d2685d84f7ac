#include <algorithm>
#include <limits>

#include "llm/model/families/family.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::int64_t kMostLayers = 10'000;

/// Fields that change the computation in ways no family here implements.
void refuse_what_nobody_implements(const ConfigFile& file) {
  for (const char* name : {"quantization_config", "compression_config"})
    if (file.has(name)) fail_input(file.path(), ": \"", name, "\" is set; quantised weights are not supported");
  for (const char* name : {"num_experts", "num_local_experts", "n_routed_experts"})
    if (file.has(name) && file.find(name) != 0)
      fail_input(file.path(), ": \"", name, "\" is ", file.find(name).dump(), "; experts are not supported");
  for (const char* name : {"partial_rotary_factor", "rotary_pct", "logits_scaling", "embedding_multiplier",
                           "residual_multiplier", "attention_multiplier"})
    refuse_unless(file, name, {1});
  for (const char* name : {"qk_layernorm", "use_qk_norm", "qk_norm", "use_bidirectional_attention", "use_mrope",
                           "alibi", "is_encoder_decoder", "add_cross_attention"})
    refuse_unless(file, name, {false});
  for (const char* name : {"clip_qkv", "attention_chunk_size", "no_rope_layers"}) refuse_unless(file, name, {});
}

RopeConfig read_scaling(const ConfigFile& scaling, const ConfigFile& file) {
  RopeConfig rope;
  const auto type = scaling.get_or<std::string>("rope_type", scaling.get_or<std::string>("type", "default"));
  refuse_unless(scaling, "partial_rotary_factor", {1});
  if (type == "default") return rope;
  if (type == "linear") rope.scaling = RopeScaling::kLinear;
  else if (type == "dynamic") rope.scaling = RopeScaling::kDynamic;
  else if (type == "llama3") rope.scaling = RopeScaling::kLlama3;
  else fail_input(scaling.path(), ": RoPE scaling \"", type, "\" is not implemented; linear, dynamic and llama3 are");
  rope.factor = scaling.positive<double>("factor");
  if (rope.factor < 1) fail_input(scaling.path(), ": \"factor\" is ", rope.factor, "; it must be at least 1");
  if (rope.scaling == RopeScaling::kDynamic) rope.original_length = file.size("max_position_embeddings");
  if (rope.scaling != RopeScaling::kLlama3) return rope;
  rope.low_freq_factor = scaling.positive<double>("low_freq_factor");
  rope.high_freq_factor = scaling.positive<double>("high_freq_factor");
  rope.original_length = scaling.size("original_max_position_embeddings");
  if (rope.high_freq_factor <= rope.low_freq_factor)
    fail_input(scaling.path(), ": \"high_freq_factor\" ", rope.high_freq_factor, " is not above \"low_freq_factor\" ",
               rope.low_freq_factor);
  return rope;
}

/// See ModelConfig::position_limit. Llama's and its kin's max_position_embeddings stay those of before the scaling.
std::int64_t position_limit(const ModelConfig& config) {
  const RopeConfig& rope = config.ropes.front();
  if (rope.scaling == RopeScaling::kDynamic) return std::numeric_limits<std::int64_t>::max();
  if (rope.scaling != RopeScaling::kLinear) return config.max_position_embeddings;
  return static_cast<std::int64_t>(std::min(static_cast<double>(config.max_position_embeddings) * rope.factor, 1e15));
}

}  // namespace

void refuse_unless(const ConfigFile& file, const std::string& name, std::initializer_list<nlohmann::json> neutral) {
  if (!file.has(name) || std::find(neutral.begin(), neutral.end(), file.find(name)) != neutral.end()) return;
  fail_input(file.path(), ": \"", name, "\" is ", file.find(name).dump(), ", which is not implemented for this family");
}

RopeConfig read_rope(const ConfigFile& file, const std::string& layer_type) {
  const std::string newer = "rope_parameters", older = "rope_scaling";
  if (!file.has(newer) && !file.has(older)) {
    RopeConfig rope;
    rope.theta = file.positive<double>("rope_theta");
    return rope;
  }
  ConfigFile scaling = file.inside(file.has(newer) ? newer : older);
  if (scaling.has(layer_type)) scaling = scaling.inside(layer_type);
  RopeConfig rope = read_scaling(scaling, file);
  rope.theta = (scaling.has("rope_theta") ? scaling : file).positive<double>("rope_theta");
  return rope;
}

void read_layer_types(const ConfigFile& file, const LocalLayers& local, ModelConfig& config) {
  const nlohmann::json& types = file.find("layer_types");
  const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
  if (!types.is_null() && (!types.is_array() || types.size() != layers))
    fail_input(file.path(), ": \"layer_types\" must name a kind for each of the ", layers, " layers");
  for (std::size_t l = 0; l < layers; ++l) {
    const nlohmann::json type = !types.is_null()                               ? types[l]
                                : local.contains(static_cast<std::int64_t>(l)) ? "sliding_attention"
                                                                               : "full_attention";
    if (type == "full_attention") continue;
    if (type != "sliding_attention")
      fail_input(file.path(), ": \"layer_types\" has ", type.dump(), ", which is not implemented");
    if (!local.window)
      fail_input(file.path(), ": layer ", l, " is \"sliding_attention\", but \"sliding_window\" is not in use");
    config.layers[l].window = local.window;
    if (local.rope == config.ropes.front()) continue;
    if (config.ropes.size() == 1) config.ropes.push_back(local.rope);
    config.layers[l].rope = 1;
  }
}

ModelConfig read_common_config(const ConfigFile& file) {
  refuse_what_nobody_implements(file);
  ModelConfig config;
  config.vocab_size = file.size("vocab_size");
  config.hidden_size = file.size("hidden_size");
  config.intermediate_size = file.size("intermediate_size");
  config.num_hidden_layers = file.size("num_hidden_layers");
  if (config.num_hidden_layers > kMostLayers)
    fail_input(file.path(), ": \"num_hidden_layers\" is ", config.num_hidden_layers, "; no model is that deep");
  config.num_attention_heads = file.size("num_attention_heads");
  config.num_key_value_heads = file.size_or("num_key_value_heads", config.num_attention_heads);
  config.head_dim = file.size_or("head_dim", config.hidden_size / config.num_attention_heads);
  config.max_position_embeddings = file.size("max_position_embeddings");
  config.rms_norm_eps = file.positive<double>("rms_norm_eps");
  config.ropes = {read_rope(file, "full_attention")};
  config.layers.resize(static_cast<std::size_t>(config.num_hidden_layers));
  config.tie_word_embeddings = file.get_or("tie_word_embeddings", false);
  config.dtype = file.get_or<std::string>("dtype", file.get_or<std::string>("torch_dtype", ""));
  config.position_limit = position_limit(config);
  return config;
}

}  // namespace kvmesh::llm

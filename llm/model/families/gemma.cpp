#include <cmath>

#include "llm/model/families/family.hpp"

namespace kvmesh::llm {
namespace {

/// What Gemma3TextConfig means by a field that is left out. The multimodal checkpoints' "text_config" holds only what
/// differs from these, RoPE's base and the number of heads included.
const nlohmann::json& gemma3_text_defaults() {
  static const nlohmann::json defaults = {{"vocab_size", 262208},         {"num_attention_heads", 8},
                                          {"num_key_value_heads", 4},     {"head_dim", 256},
                                          {"rms_norm_eps", 1e-6},         {"max_position_embeddings", 131072},
                                          {"rope_theta", 1000000.0},      {"rope_local_base_freq", 10000.0},
                                          {"query_pre_attn_scalar", 256}, {"sliding_window", 4096},
                                          {"hidden_size", 2304},          {"intermediate_size", 9216},
                                          {"num_hidden_layers", 26}};
  return defaults;
}

void read_gemma_fields(const ConfigFile& file, ModelConfig& config) {
  refuse_unless(file, file.has("hidden_activation") ? "hidden_activation" : "hidden_act", {"gelu_pytorch_tanh"});
  config.activation = Activation::kGeluTanh;
  config.head_dim = file.size_or("head_dim", 256);
  config.qkv_bias = file.get_or("attention_bias", false);
  config.attention_output_bias = config.qkv_bias;
  config.attention_scale = 1 / std::sqrt(file.positive<double>("query_pre_attn_scalar"));
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  config.norm_plus_one = true;
  config.post_norms = true;
  config.tie_word_embeddings = file.get_or("tie_word_embeddings", true);
  config.position_limit = config.max_position_embeddings;
}

/// Null means none, here. A file that leaves it out could mean either.
double read_softcap(const ConfigFile& file, const std::string& name) {
  if (!file.fields().contains(name))
    fail_input(file.path(), ": \"", name, "\" is missing; write null where the model has none");
  return file.positive_or(name, 0.0);
}

RopeConfig read_local_rope(const ConfigFile& file) {
  if (file.has("rope_parameters") && file.inside("rope_parameters").has("sliding_attention"))
    return read_rope(file, "sliding_attention");
  RopeConfig rope;
  rope.theta = file.positive<double>("rope_local_base_freq");
  return rope;
}

}  // namespace

/// Even layers local, odd ones global; soft caps on attention scores and logits.
ModelConfig read_gemma2_config(const ConfigFile& file) {
  ModelConfig config = read_common_config(file);
  config.family = "gemma2";
  read_gemma_fields(file, config);
  config.attention_softcap = read_softcap(file, "attn_logit_softcapping");
  config.final_softcap = read_softcap(file, "final_logit_softcapping");
  const auto is_even = [](std::int64_t layer) { return layer % 2 == 0; };
  const auto window = file.size("sliding_window");
  read_layer_types(file, {is_even, window, read_rope(file, "sliding_attention")}, config);
  return config;
}

/// Five local layers, then a global one; local ones rotate with a base of their own and without scaling. RMSNorm on
/// every head of q and k.
ModelConfig read_gemma3_config(const ConfigFile& file) {
  ModelConfig config = read_common_config(file);
  config.family = "gemma3";
  read_gemma_fields(file, config);
  config.qk_norm = true;
  refuse_unless(file, "attn_logit_softcapping", {});
  config.final_softcap = file.positive_or("final_logit_softcapping", 0.0);
  const auto pattern = file.size_or("sliding_window_pattern", 6);
  const auto is_between = [&](std::int64_t layer) { return (layer + 1) % pattern != 0; };
  const auto window = file.size("sliding_window");
  read_layer_types(file, {is_between, window, read_local_rope(file)}, config);
  return config;
}

ModelConfig read_gemma3_multimodal_config(const ConfigFile& file) {
  const ConfigFile text = file.inside("text_config");
  nlohmann::json fields = text.fields();
  std::string filled;
  for (const auto& [name, value] : gemma3_text_defaults().items()) {
    if (text.has(name) || (name.starts_with("rope_") && text.has("rope_parameters"))) continue;
    fields[name] = value;
    filled += (filled.empty() ? "" : ", ") + name + " " + value.dump();
  }
  for (const char* name : {"dtype", "torch_dtype", "tie_word_embeddings", "quantization_config"})
    if (!text.has(name) && file.has(name)) fields[name] = file.find(name);
  ModelConfig config = read_gemma3_config(ConfigFile(text.path(), fields));
  config.weight_prefixes = {"language_model.model.", "model.language_model."};
  if (!filled.empty()) config.notes.push_back("text_config leaves out, and means by that: " + filled);
  return config;
}

}  // namespace kvmesh::llm

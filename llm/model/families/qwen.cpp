#include "llm/model/families/family.hpp"

namespace kvmesh::llm {
namespace {

/// Layers from "max_window_layers" on have a window, where "use_sliding_window" says so.
ModelConfig read_qwen_config(const ConfigFile& file) {
  ModelConfig config = read_common_config(file);
  refuse_unless(file, "hidden_act", {"silu"});
  refuse_unless(file, "mlp_bias", {false});
  for (const char* name : {"attn_logit_softcapping", "final_logit_softcapping"}) refuse_unless(file, name, {});
  std::optional<std::int64_t> window;
  std::int64_t first_local = config.num_hidden_layers;
  if (file.get_or("use_sliding_window", false)) {
    window = file.size("sliding_window");
    first_local = file.get<std::int64_t>("max_window_layers");
  }
  const auto is_late = [&](std::int64_t layer) { return layer >= first_local; };
  read_layer_types(file, {is_late, window, read_rope(file, "sliding_attention")}, config);
  return config;
}

}  // namespace

/// Llama with biases on q, k and v.
ModelConfig read_qwen2_config(const ConfigFile& file) {
  ModelConfig config = read_qwen_config(file);
  config.family = "qwen2";
  config.qkv_bias = true;
  return config;
}

/// Llama with RMSNorm on every head of q and k, and a head_dim of its own: 128 where the file does not say.
ModelConfig read_qwen3_config(const ConfigFile& file) {
  ModelConfig config = read_qwen_config(file);
  config.family = "qwen3";
  config.head_dim = file.size_or("head_dim", 128);
  config.qk_norm = true;
  config.qkv_bias = file.get_or("attention_bias", false);
  config.attention_output_bias = config.qkv_bias;
  return config;
}

}  // namespace kvmesh::llm

#include "llm/model/families/family.hpp"

namespace kvmesh::llm {

/// Llama without biases, every layer with the same window. A file that does not name "sliding_window" means 4096, one
/// that says null means none.
ModelConfig read_mistral_config(const ConfigFile& file) {
  ModelConfig config = read_common_config(file);
  config.family = "mistral";
  refuse_unless(file, "hidden_act", {"silu"});
  for (const char* name : {"attention_bias", "mlp_bias"}) refuse_unless(file, name, {false});
  for (const char* name : {"attn_logit_softcapping", "final_logit_softcapping"}) refuse_unless(file, name, {});
  std::optional<std::int64_t> window;
  if (file.has("sliding_window")) window = file.size("sliding_window");
  if (!file.fields().contains("sliding_window")) {
    window = 4096;
    config.notes.emplace_back("sliding_window 4096: what Mistral's config means where it leaves the field out");
  }
  const auto every_layer = [&](std::int64_t) { return window.has_value(); };
  read_layer_types(file, {every_layer, window, read_rope(file, "sliding_attention")}, config);
  return config;
}

}  // namespace kvmesh::llm

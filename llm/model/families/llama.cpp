#include <cstdio>

#include "llm/model/families/family.hpp"

namespace kvmesh::llm {
namespace {

/// Files that transformers wrote before 4.33 have no "rope_theta": its Llama had the base 10000 built in. What a later
/// version, or somebody else, wrote must say it.
bool written_with_fixed_base(const ConfigFile& file) {
  int major = 0, minor = 0;
  const auto version = file.get_or<std::string>("transformers_version", "");
  return std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2 && (major < 4 || (major == 4 && minor < 33));
}

}  // namespace

ModelConfig read_llama_config(const ConfigFile& file) {
  if (!file.has("rope_theta") && !file.has("rope_parameters") && written_with_fixed_base(file)) {
    nlohmann::json fields = file.fields();
    fields["rope_theta"] = 10000.0;
    ModelConfig config = read_llama_config(ConfigFile(file.path(), fields));
    config.notes.push_back("rope_theta 10000: built into transformers " +
                           file.get<std::string>("transformers_version") + ", which wrote config.json");
    return config;
  }
  ModelConfig config = read_common_config(file);
  config.family = "llama";
  refuse_unless(file, "hidden_act", {"silu"});
  for (const char* name : {"sliding_window", "attn_logit_softcapping", "final_logit_softcapping"})
    refuse_unless(file, name, {});
  config.qkv_bias = file.get_or("attention_bias", false);
  config.attention_output_bias = config.qkv_bias;
  config.mlp_bias = file.get_or("mlp_bias", false);
  return config;
}

}  // namespace kvmesh::llm

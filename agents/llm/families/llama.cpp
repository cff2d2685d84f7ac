#include "agents/llm/families/family.hpp"

namespace kvmesh::llm {

ModelConfig read_llama_config(const ConfigFile& file) {
  ModelConfig config = read_common_config(file);
  config.family = "llama";
  if (auto act = file.get_or<std::string>("hidden_act", "silu"); act != "silu")
    fail_input(file.path(), ": \"hidden_act\" is \"", act, "\"; this family is implemented with \"silu\"");
  config.qkv_bias = file.get_or("attention_bias", false);
  config.attention_output_bias = config.qkv_bias;
  config.mlp_bias = file.get_or("mlp_bias", false);
  return config;
}

}  // namespace kvmesh::llm

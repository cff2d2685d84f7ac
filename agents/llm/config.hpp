#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kvcodec/wire/manifest.hpp"

namespace kvmesh::llm {

/// Rotary position embedding: angle of position p in dimension pair i is p * theta^(-2i/head_dim), half-split layout
/// (dimension i pairs with i + head_dim/2), as Hugging Face checkpoints store it.
struct RopeConfig {
  double theta = 0;
  std::string scaling;             ///< canonical JSON of the scaling block; empty for none
  bool depends_on_length = false;  ///< frequencies change with the sequence's length
  bool operator==(const RopeConfig&) const = default;
};

/// What config.json says of a model, in our words. A value. Everything is decided by the file; nothing is defaulted
/// that the family does not define a default for.
struct ModelConfig {
  std::string family;        ///< key of the family table: "llama"
  std::string architecture;  ///< as the file names it: "LlamaForCausalLM"
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 0;
  RopeConfig rope;
  bool qkv_bias = false;
  bool attention_output_bias = false;
  bool mlp_bias = false;
  bool tie_word_embeddings = false;
  std::string dtype;  ///< of the weights, as the file says: "bfloat16"; empty where it does not
};

/// Reads MODEL_DIR/config.json. Throws Error{kFixInput} that names the file and the field: not there, not JSON, an
/// unknown architecture, a field missing or of a wrong type, a value that is not implemented.
ModelConfig read_config(const std::filesystem::path& model_dir);

/// What this model can share with others.
wire::Manifest manifest_of(const ModelConfig& config);
wire::Manifest read_manifest(const std::filesystem::path& model_dir);

/// Ids that end a turn: generation_config.json's eos_token_id, else config.json's. Either may be one or a list; none at
/// all is legal, generation then ends at max_tokens.
std::vector<std::int64_t> read_stop_tokens(const std::filesystem::path& model_dir);

/// Bytes of keys and values that one token takes over all layers.
std::int64_t kv_bytes_per_token(const ModelConfig& config, std::int64_t bytes_per_element);

}  // namespace kvmesh::llm

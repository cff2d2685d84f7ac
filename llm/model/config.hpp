#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kvcodec/wire/manifest.hpp"

namespace kvmesh::llm {

enum class RopeScaling { kNone, kLinear, kDynamic, kLlama3, kFactors };

/// Rotary position embedding: angle of position p in dimension pair i is p * theta^(-2i/head_dim), half-split layout
/// (dimension i pairs with i + head_dim/2), as Hugging Face checkpoints store it. What scaling makes of the frequencies
/// is in rope.hpp.
struct RopeConfig {
  double theta = 0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;                 ///< of every scaling but kFactors
  double low_freq_factor = 0;        ///< llama3
  double high_freq_factor = 0;       ///< llama3
  std::int64_t original_length = 0;  ///< tokens: llama3, dynamic
  std::vector<float> factors;        ///< what each frequency is divided by: kFactors

  /// Frequencies change with the sequence's length.
  bool depends_on_length() const { return scaling == RopeScaling::kDynamic; }
  /// Canonical JSON of the scaling; empty for none.
  std::string scaling_json() const;
  bool operator==(const RopeConfig&) const = default;
};

/// What sets one layer's attention apart from another's.
struct LayerAttention {
  std::optional<std::int64_t> window;  ///< sees keys less than this many positions back; none: all before it
  std::size_t rope = 0;                ///< index into ModelConfig::ropes
  bool operator==(const LayerAttention&) const = default;
};

enum class Activation { kSilu, kGeluTanh };

/// What config.json, or a GGUF file's metadata, says of a model, in our words: every family of decoders is values of
/// these fields. A value. Everything is decided by the file; nothing is defaulted that the family does not define a
/// default for.
struct ModelConfig {
  std::string family;        ///< "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3"
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
  std::vector<RopeConfig> ropes;       ///< the first is that of global layers; Gemma 3 has a second, of local ones
  std::vector<LayerAttention> layers;  ///< one for each layer
  double attention_scale = 0;          ///< of query times key
  double attention_softcap = 0;        ///< scores s become cap * tanh(s / cap); 0: none
  double final_softcap = 0;            ///< the same of the logits
  double embedding_scale = 1;          ///< of what the table gives out; rounded to the compute dtype
  Activation activation = Activation::kSilu;
  bool qkv_bias = false;
  bool attention_output_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;        ///< RMSNorm of every head of queries and keys, before RoPE
  bool norm_plus_one = false;  ///< RMSNorm multiplies by 1 + weight, in fp32
  bool post_norms = false;     ///< norms behind attention and MLP too, before they are added
  bool tie_word_embeddings = false;
  /// Rows of q and k stand as llama.cpp's RoPE wants them: of each head, dimension i at row 2i, i + head_dim/2 behind
  /// it.
  bool interleaved_rows = false;
  std::string dtype;  ///< of the weights, as the file says: "bfloat16"; empty where it does not
  /// Under which prefix the decoder's tensors stand; the first that the checkpoint has.
  std::vector<std::string> weight_prefixes = {"model."};
  /// What was not in the file and where it was taken from, a line each. `kvmesh inspect` prints them.
  std::vector<std::string> notes;

  const RopeConfig& rope_of(int layer) const { return ropes.at(layers.at(static_cast<std::size_t>(layer)).rope); }
  /// Positions that a sequence may take: max_position_embeddings; times the factor of `linear` scaling where the family
  /// counts so; without a bound for `dynamic`, whose frequencies follow the length.
  std::int64_t position_limit = 0;
};

/// "max_position_embeddings 2048", with what RoPE scaling makes of them where that is more: for messages about
/// position_limit.
std::string describe_position_limit(const ModelConfig& config);

/// Reads MODEL/config.json or, where `model` is a GGUF file, its metadata (gguf_config.hpp). Throws Error{kFixInput}
/// that names the file and the field: not there, not JSON, an unknown architecture, a field missing or of a wrong type,
/// a value that is not implemented.
ModelConfig read_config(const std::filesystem::path& model);

/// What this model can share with others.
wire::Manifest manifest_of(const ModelConfig& config);
wire::Manifest read_manifest(const std::filesystem::path& model);

/// Ids that end a turn: generation_config.json's eos_token_id, else config.json's, each one or a list; of a GGUF file
/// those of its metadata. None at all is legal, generation then ends at max_tokens.
std::vector<std::int64_t> read_stop_tokens(const std::filesystem::path& model);

/// Bytes of keys and values that one token takes over all layers.
std::int64_t kv_bytes_per_token(const ModelConfig& config, std::int64_t bytes_per_element);

}  // namespace kvmesh::llm

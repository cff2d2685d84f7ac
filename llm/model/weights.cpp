#include "llm/model/weights.hpp"

#include <ATen/ATen.h>

#include <map>
#include <optional>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// Parts that are stacked: name and rows of each.
using Parts = std::vector<std::pair<std::string, std::int64_t>>;

/// Takes tensors out of a checkpoint in the compute dtype and remembers which it took. Where stored and computed dtype
/// are the same and nothing is stacked, the mapped file itself is the weight.
class WeightReader {
 public:
  WeightReader(const Checkpoint& checkpoint, const ModelConfig& config, at::ScalarType dtype, at::Device device)
      : checkpoint_(checkpoint), config_(config), options_(at::TensorOptions().dtype(dtype).device(device)) {}

  at::Tensor operator()(const std::string& name, at::IntArrayRef shape) {
    const at::Tensor stored = checkpoint_.get(name, shape);
    const bool as_it_is = stored.scalar_type() == options_.dtype() && options_.device().is_cpu();
    if (!as_it_is) return copied(name, at::empty(shape, options_));
    digests_[name] = checkpoint_.read(name, shape, /*into=*/{});
    return stored;
  }

  at::Tensor norm(const std::string& name, std::int64_t width) {
    if (!config_.norm_plus_one) return (*this)(name, {width});
    return copied(name, at::empty({width}, options_.dtype(at::kFloat))) + 1;
  }

  at::Tensor stacked(const std::string& prefix, const Parts& parts, const std::string& suffix,
                     std::optional<std::int64_t> columns) {
    std::vector<std::int64_t> shape{0};
    if (columns) shape.push_back(*columns);
    std::int64_t all_rows = 0;
    for (const auto& [name, rows] : parts) {
      shape[0] = rows;
      checkpoint_.get(prefix + name + suffix, shape);  // what config.json asks for is there, before it is allocated
      all_rows += rows;
    }
    shape[0] = all_rows;
    const at::Tensor stack = at::empty(shape, options_);
    std::int64_t row = 0;
    for (const auto& [name, rows] : parts) {
      copied(prefix + name + suffix, stack.narrow(0, row, rows));
      row += rows;
    }
    return stack;
  }

  const std::map<std::string, std::uint64_t>& digests() const { return digests_; }
  std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const std::string& name : checkpoint_.names())
      if (digests_.count(name) == 0) names.push_back(name);
    return names;
  }

 private:
  at::Tensor copied(const std::string& name, const at::Tensor& into) {
    digests_[name] = checkpoint_.read(name, into.sizes(), into);
    return into;
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  at::TensorOptions options_;
  std::map<std::string, std::uint64_t> digests_;
};

LayerWeights load_layer(WeightReader& read, const ModelConfig& c, const std::string& at) {
  const std::int64_t hidden = c.hidden_size, q = c.num_attention_heads * c.head_dim, ffn = c.intermediate_size;
  const std::int64_t kv = c.num_key_value_heads * c.head_dim;
  const std::string attention = at + "self_attn.", mlp = at + "mlp.";
  const Parts qkv = {{"q_proj", q}, {"k_proj", kv}, {"v_proj", kv}};
  const Parts gate_up = {{"gate_proj", ffn}, {"up_proj", ffn}};

  LayerWeights layer;
  layer.attention_norm = read.norm(at + "input_layernorm.weight", hidden);
  if (c.post_norms) {
    layer.after_attention_norm = read.norm(at + "post_attention_layernorm.weight", hidden);
    layer.mlp_norm = read.norm(at + "pre_feedforward_layernorm.weight", hidden);
    layer.after_mlp_norm = read.norm(at + "post_feedforward_layernorm.weight", hidden);
  } else {
    layer.mlp_norm = read.norm(at + "post_attention_layernorm.weight", hidden);
  }
  layer.qkv = read.stacked(attention, qkv, ".weight", hidden);
  if (c.qkv_bias) layer.qkv_bias = read.stacked(attention, qkv, ".bias", std::nullopt);
  if (c.qk_norm) {
    const at::Tensor q_norm = read.norm(attention + "q_norm.weight", c.head_dim);
    const at::Tensor k_norm = read.norm(attention + "k_norm.weight", c.head_dim);
    layer.qk_norm = at::cat({q_norm.expand({c.num_attention_heads, -1}), k_norm.expand({c.num_key_value_heads, -1})});
  }
  layer.out = read(attention + "o_proj.weight", {hidden, q});
  if (c.attention_output_bias) layer.out_bias = read(attention + "o_proj.bias", {hidden});
  layer.gate_up = read.stacked(mlp, gate_up, ".weight", hidden);
  if (c.mlp_bias) layer.gate_up_bias = read.stacked(mlp, gate_up, ".bias", std::nullopt);
  layer.down = read(mlp + "down_proj.weight", {hidden, ffn});
  if (c.mlp_bias) layer.down_bias = read(mlp + "down_proj.bias", {hidden});
  return layer;
}

/// The first of the family's prefixes under which the checkpoint has an embedding table.
std::string find_prefix(const Checkpoint& checkpoint, const ModelConfig& config) {
  for (const std::string& prefix : config.weight_prefixes)
    if (checkpoint.contains(prefix + "embed_tokens.weight")) return prefix;
  return config.weight_prefixes.front();
}

}  // namespace

at::ScalarType stored_dtype(const Checkpoint& checkpoint, const ModelConfig& config) {
  const std::string name = find_prefix(checkpoint, config) + "embed_tokens.weight";
  return checkpoint.get(name, {config.vocab_size, config.hidden_size}).scalar_type();
}

Weights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, at::ScalarType dtype, at::Device device) {
  WeightReader read(checkpoint, config, dtype, device);
  const std::string prefix = find_prefix(checkpoint, config);
  Weights weights;
  weights.embed_tokens = read(prefix + "embed_tokens.weight", {config.vocab_size, config.hidden_size});
  weights.final_norm = read.norm(prefix + "norm.weight", config.hidden_size);
  weights.lm_head = config.tie_word_embeddings ? weights.embed_tokens
                                               : read("lm_head.weight", {config.vocab_size, config.hidden_size});
  for (std::int64_t l = 0; l < config.num_hidden_layers; ++l)
    weights.layers.push_back(load_layer(read, config, cat(prefix, "layers.", l, ".")));
  weights.unused = read.unused();
  weights.fingerprint = checkpoint.fingerprint(read.digests());
  return weights;
}

}  // namespace kvmesh::llm

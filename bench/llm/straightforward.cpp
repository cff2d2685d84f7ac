#include "bench/llm/straightforward.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <limits>

#include "llm/runtime.hpp"

namespace kvmesh::bench {
namespace {

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor turned = at::cat({-x.narrow(-1, half, half), x.narrow(-1, 0, half)}, -1);
  return x * cos + turned * sin;
}

}  // namespace

Straightforward::Straightforward(const llm::Model& model) : model_(model) {
  const llm::ModelConfig& c = model.config();
  const std::int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  struct Taken {
    at::ScalarType type;
    at::Tensor operator()(const at::Tensor& weight) const { return weight.to(type); }
    at::Tensor operator()(const llm::Matrix& weight) const {
      return (weight.dense().defined() ? weight.dense() : weight.widened()).to(type);
    }
  } taken{llm::product_type(model.dtype())};
  for (const llm::LayerWeights& own : model.weights().layers) {
    const at::Tensor qkv = taken(own.qkv), gate_up = taken(own.gate_up);
    layers_.push_back({taken(own.attention_norm), qkv.narrow(0, 0, q), qkv.narrow(0, q, kv), qkv.narrow(0, q + kv, kv),
                       taken(own.out), taken(own.mlp_norm), gate_up.narrow(0, 0, c.intermediate_size),
                       gate_up.narrow(0, c.intermediate_size, c.intermediate_size), taken(own.down)});
  }
  embed_tokens_ = taken(model.weights().embed_tokens);
  final_norm_ = taken(model.weights().final_norm);
  lm_head_ = c.tie_word_embeddings ? embed_tokens_ : taken(model.weights().lm_head);
}

double Straightforward::score_bytes(std::int64_t tokens) const {
  const auto pairs = static_cast<double>(model_.config().num_attention_heads * tokens * tokens);
  return pairs * (3 * 4 + 2 * 2);  // fp32 scores, masked scores, probabilities; the products' own type twice
}

at::Tensor Straightforward::norm(const at::Tensor& x, const at::Tensor& weight) const {
  const at::Tensor wide = x.to(at::kFloat);
  return (wide * (wide.pow(2).mean(-1, true) + model_.config().rms_norm_eps).rsqrt()).to(x.scalar_type()) * weight;
}

at::Tensor Straightforward::attention(const Layer& layer, const at::Tensor& x, at::Tensor& keys,
                                      at::Tensor& values) const {
  const llm::ModelConfig& c = model_.config();
  const std::int64_t tokens = x.size(0), before = keys.defined() ? keys.size(1) : 0, d = c.head_dim;
  auto heads = [&](const at::Tensor& weight) { return at::linear(x, weight).view({tokens, -1, d}).transpose(0, 1); };
  const at::Tensor positions = at::arange(before, before + tokens, at::kFloat).unsqueeze(1);
  const at::Tensor half = positions * model_.inverse_frequencies(0).unsqueeze(0);
  const at::Tensor angles = at::cat({half, half}, -1);
  const at::Tensor cos = angles.cos().to(x.scalar_type()), sin = angles.sin().to(x.scalar_type());
  const at::Tensor q = rotate(heads(layer.q), cos, sin), k = rotate(heads(layer.k), cos, sin), v = heads(layer.v);
  keys = keys.defined() ? at::cat({keys, k}, 1) : k;
  values = values.defined() ? at::cat({values, v}, 1) : v;

  const std::int64_t group = c.num_attention_heads / c.num_key_value_heads;
  const at::Tensor all_keys = keys.repeat_interleave(group, 0), all_values = values.repeat_interleave(group, 0);
  at::Tensor scores = at::matmul(q, all_keys.transpose(1, 2)) / std::sqrt(static_cast<double>(d));
  const at::Tensor mask = at::full({tokens, before + tokens}, -std::numeric_limits<float>::infinity()).triu(before + 1);
  const at::Tensor weights = at::softmax(scores.to(at::kFloat) + mask, -1).to(x.scalar_type());
  return at::linear(at::matmul(weights, all_values).transpose(0, 1).reshape({tokens, -1}), layer.out);
}

at::Tensor Straightforward::forward(const std::vector<std::int64_t>& ids, Cache& cache) const {
  c10::InferenceMode guard;
  cache.keys.resize(layers_.size());
  cache.values.resize(layers_.size());
  at::Tensor x = at::embedding(embed_tokens_, at::tensor(ids, at::kLong));
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    x = x + attention(layer, norm(x, layer.attention_norm), cache.keys[l], cache.values[l]);
    const at::Tensor y = norm(x, layer.mlp_norm);
    x = x + at::linear(at::silu(at::linear(y, layer.gate)) * at::linear(y, layer.up), layer.down);
  }
  const at::Tensor last = norm(x.narrow(0, x.size(0) - 1, 1), final_norm_);
  return at::linear(last, lm_head_).to(at::kFloat);
}

}  // namespace kvmesh::bench

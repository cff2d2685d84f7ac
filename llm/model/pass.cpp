#include "llm/model/pass.hpp"

#include <ATen/ATen.h>

#include "llm/kernels/linear.hpp"
#include "llm/kernels/ops.hpp"
#include "llm/model/rope.hpp"

namespace kvmesh::llm {

Pass::Pass(const Model& model) : model_(model) {
  const double scale = model.config().embedding_scale;
  if (scale != 1) embedding_scale_ = at::scalar_tensor(scale, model.options());
}

void Pass::allocate(std::int64_t rows) {
  const ModelConfig& c = model_.config();
  const at::TensorOptions compute = model_.options(), wide = compute.dtype(at::kFloat);
  const std::int64_t heads = c.num_attention_heads, kv_heads = c.num_key_value_heads, d = c.head_dim;
  rows_ = rows;
  hidden_ = at::empty({rows, c.hidden_size}, compute);
  normed_ = at::empty({rows, c.hidden_size}, compute);
  out_ = at::empty({rows, c.hidden_size}, compute);
  qkv_ = at::empty({rows, (heads + 2 * kv_heads) * d}, compute);
  qkv_heads_ = qkv_.view({rows, heads + 2 * kv_heads, d});
  queries_ = at::empty({rows, heads, d}, compute);
  mixed_ = at::empty({rows, heads, d}, compute);
  mixed_flat_ = mixed_.view({rows, heads * d});
  gate_up_ = at::empty({rows, 2 * c.intermediate_size}, compute);
  gated_ = at::empty({rows, c.intermediate_size}, compute);
  cos_.clear();
  sin_.clear();
  for (std::size_t rope = 0; rope < c.ropes.size(); ++rope) {
    cos_.push_back(at::empty({rows, d / 2}, wide));
    sin_.push_back(at::empty({rows, d / 2}, wide));
  }
  angles_from_.resize(c.ropes.size());
  logits_first_ = -1;
}

at::Tensor& Pass::begin(std::span<const PassPart> parts) {
  parts_.assign(parts.begin(), parts.end());
  std::int64_t rows = 0;
  for (const PassPart& part : parts) rows += part.tokens;
  if (rows != rows_) allocate(rows);
  for (std::vector<std::int64_t>& made : angles_from_) made.assign(parts.size(), -1);
  return hidden_;
}

void Pass::fill_angles_at(int layer, std::size_t part, std::int64_t row, std::int64_t first) {
  const std::size_t rope = model_.config().layers[static_cast<std::size_t>(layer)].rope;
  const RopeConfig& config = model_.config().ropes[rope];
  if (angles_from_[rope][part] == first) return;
  angles_from_[rope][part] = first;
  const PassPart& of = parts_[part];
  const std::int64_t length = first + of.rows_to_come;
  if (!config.depends_on_length() || length <= config.original_length)
    return fill_angles(cos_[rope], sin_[rope], row, model_.inverse_frequencies(layer), first, of.tokens);
  const at::Tensor frequencies = inverse_frequencies(config, model_.config().head_dim, length);
  fill_angles(cos_[rope], sin_[rope], row, frequencies.to(model_.device()), first, of.tokens);
}

std::int64_t Pass::enter_cache(int index, std::size_t p, std::int64_t row) {
  const PassPart& part = parts_[p];
  LayerCache& cache = part.cache->layer(index);
  fill_angles_at(index, p, row, cache.next_position);
  cache.reserve(cache.length() + part.rows_to_come);
  return cache.extend_own(part.tokens);
}

void Pass::attention_block(int index, const PassHooks& hooks) {
  const ModelConfig& config = model_.config();
  const LayerWeights& layer = model_.weights().layers[static_cast<std::size_t>(index)];
  const LayerAttention& kind = config.layers[static_cast<std::size_t>(index)];
  kernels::rms_norm(normed_, hidden_, layer.attention_norm, config.rms_norm_eps);
  kernels::linear(qkv_, normed_, layer.qkv, layer.qkv_bias);

  const AttentionRule rule{.scale = config.attention_scale, .softcap = config.attention_softcap, .window = kind.window};
  asked_.clear();
  std::int64_t row = 0;
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const PassPart& part = parts_[p];
    const std::int64_t cache_row = enter_cache(index, p, row);
    LayerCache& cache = part.cache->layer(index);
    kernels::rotate(queries_, cache.key_store(), cache.value_store(), {row, part.tokens, cache_row}, qkv_heads_,
                    cos_[kind.rope], sin_[kind.rope], layer.qk_norm, config.rms_norm_eps);
    asked_.push_back({&cache, row, part.tokens, part.phase == Phase::kPrefill});
    row += part.tokens;
    if (hooks.shared_memory) attend(mixed_, queries_, {&asked_.back(), 1}, rule, index, {});
  }
  if (hooks.on_layer) hooks.on_layer(index);

  if (!hooks.shared_memory) attend(mixed_, queries_, asked_, rule, index, hooks.meters);
  kernels::linear(out_, mixed_flat_, layer.out, layer.out_bias);
  if (layer.after_attention_norm.defined())
    kernels::rms_norm(out_, out_, layer.after_attention_norm, config.rms_norm_eps);
  kernels::add(hidden_, out_);
}

void Pass::keys_and_values_only(int index, const PassHooks& hooks) {
  const ModelConfig& config = model_.config();
  const LayerWeights& layer = model_.weights().layers[static_cast<std::size_t>(index)];
  const std::int64_t heads = config.num_attention_heads, kv_heads = config.num_key_value_heads, d = config.head_dim;
  const std::size_t rope = config.layers[static_cast<std::size_t>(index)].rope;
  // Keys and values stand behind the queries in what is stacked for all three.
  const auto behind_queries = [&](const at::Tensor& stacked, std::int64_t first, std::int64_t count) {
    return stacked.defined() ? stacked.narrow(0, first, count) : at::Tensor();
  };
  at::Tensor kv = at::empty({rows_, 2 * kv_heads * d}, hidden_.options());
  at::Tensor no_queries = queries_.narrow(1, 0, 0);
  kernels::rms_norm(normed_, hidden_, layer.attention_norm, config.rms_norm_eps);
  kernels::linear(kv, normed_, layer.qkv.from(heads * d), behind_queries(layer.qkv_bias, heads * d, 2 * kv_heads * d));
  std::int64_t row = 0;
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const std::int64_t cache_row = enter_cache(index, p, row);
    LayerCache& cache = parts_[p].cache->layer(index);
    kernels::rotate(no_queries, cache.key_store(), cache.value_store(), {row, parts_[p].tokens, cache_row},
                    kv.view({rows_, 2 * kv_heads, d}), cos_[rope], sin_[rope],
                    behind_queries(layer.qk_norm, heads, kv_heads), config.rms_norm_eps);
    row += parts_[p].tokens;
  }
  if (hooks.on_layer) hooks.on_layer(index);
}

void Pass::mlp_block(const LayerWeights& layer) {
  const ModelConfig& config = model_.config();
  kernels::rms_norm(normed_, hidden_, layer.mlp_norm, config.rms_norm_eps);
  kernels::linear(gate_up_, normed_, layer.gate_up, layer.gate_up_bias);
  kernels::gate(gated_, gate_up_, config.activation);
  kernels::linear(out_, gated_, layer.down, layer.down_bias);
  if (layer.after_mlp_norm.defined()) kernels::rms_norm(out_, out_, layer.after_mlp_norm, config.rms_norm_eps);
  kernels::add(hidden_, out_);
}

void Pass::run_layers(int first, int end, const PassHooks& hooks) {
  if (first == 0 && embedding_scale_.defined()) hidden_.mul_(embedding_scale_);
  for (int l = first; l < end; ++l) {
    if (hooks.before_layer) hooks.before_layer(l, hidden_);
    attention_block(l, hooks);
    mlp_block(model_.weights().layers[static_cast<std::size_t>(l)]);
  }
}

void Pass::run(const PassHooks& hooks) { run_layers(0, static_cast<int>(model_.weights().layers.size()), hooks); }

void Pass::run_to_last_keys(const PassHooks& hooks) {
  const int last = static_cast<int>(model_.weights().layers.size()) - 1;
  run_layers(0, last, hooks);
  if (hooks.before_layer) hooks.before_layer(last, hidden_);
  keys_and_values_only(last, hooks);
}

const at::Tensor& Pass::logits(std::int64_t first, std::int64_t rows) {
  const ModelConfig& config = model_.config();
  if (logits_first_ != first || logits_.size(0) != rows) {
    logits_first_ = first;
    logits_hidden_ = hidden_.narrow(0, first, rows);
    logits_normed_ = normed_.narrow(0, 0, rows);
    logits_narrow_ = at::empty({rows, config.vocab_size}, hidden_.options());
    logits_ = at::empty({rows, config.vocab_size}, hidden_.options().dtype(at::kFloat));
  }
  kernels::rms_norm(logits_normed_, logits_hidden_, model_.weights().final_norm, config.rms_norm_eps);
  kernels::linear(logits_narrow_, logits_normed_, model_.weights().lm_head, {});
  kernels::widen(logits_, logits_narrow_, config.final_softcap);
  return logits_;
}

}  // namespace kvmesh::llm

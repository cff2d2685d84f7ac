#include "agents/llm/model.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <set>

#include "agents/llm/checkpoint.hpp"
#include "agents/llm/rope.hpp"
#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

at::ScalarType compute_dtype(const std::string& asked, const ModelConfig& config) {
  if (asked == "fp32") return at::kFloat;
  if (asked == "bf16") return at::kBFloat16;
  if (asked == "auto") return config.dtype == "bfloat16" || config.dtype == "float16" ? at::kBFloat16 : at::kFloat;
  fail_input("dtype \"", asked, "\" is not known; use auto, fp32 or bf16");
}

/// Takes tensors out of a checkpoint in the compute dtype and remembers which it took.
class WeightReader {
 public:
  WeightReader(const Checkpoint& checkpoint, at::ScalarType dtype, at::Device device)
      : checkpoint_(checkpoint), dtype_(dtype), device_(device) {}

  at::Tensor operator()(const std::string& name, at::IntArrayRef shape) {
    used_.insert(name);
    return checkpoint_.get(name, shape).to(device_, dtype_);
  }

  /// Several projections of one input as one matrix: one product instead of three.
  at::Tensor stacked(const std::string& prefix, const std::vector<std::pair<std::string, std::int64_t>>& parts,
                     const std::string& suffix, std::optional<std::int64_t> columns) {
    std::vector<at::Tensor> tensors;
    for (const auto& [name, rows] : parts) {
      std::vector<std::int64_t> shape{rows};
      if (columns) shape.push_back(*columns);
      tensors.push_back((*this)(prefix + name + suffix, shape));
    }
    return at::cat(tensors);
  }

  std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const std::string& name : checkpoint_.names())
      if (used_.count(name) == 0) names.push_back(name);
    return names;
  }

 private:
  const Checkpoint& checkpoint_;
  at::ScalarType dtype_;
  at::Device device_;
  std::set<std::string> used_;
};

at::Tensor last_rows(const at::Tensor& hidden, LogitRows rows) {
  return rows == LogitRows::kAll ? hidden : hidden.narrow(0, hidden.size(0) - 1, 1);
}

/// `hidden` with its last row combined with the injected state; trailing coordinates where widths differ.
at::Tensor inject(const at::Tensor& hidden, const Injection& injection) {
  at::Tensor changed = hidden.clone();
  const std::int64_t width = std::min(injection.state.size(0), hidden.size(1));
  at::Tensor row = changed.select(0, hidden.size(0) - 1).narrow(0, hidden.size(1) - width, width);
  const at::Tensor state = injection.state.narrow(0, injection.state.size(0) - width, width).to(row.options());
  switch (injection.combine) {
    case wire::Combine::kReplace: row.copy_(state); break;
    case wire::Combine::kSum: row.add_(state); break;
    case wire::Combine::kMean: row.add_(state).div_(2); break;
  }
  return changed;
}

}  // namespace

Model Model::load(const std::filesystem::path& model_dir, const Options& options) {
  c10::InferenceMode guard;
  Model model;
  model.config_ = read_config(model_dir);
  model.dtype_ = compute_dtype(options.dtype, model.config_);
  try {
    model.device_ = at::Device(options.device);
  } catch (const c10::Error&) {
    fail_input("device \"", options.device, "\" is not known; use cpu or cuda:N");
  }
  if (model.device_.is_cuda() && !at::hasCUDA()) fail_input("device \"", options.device, "\": this build has no CUDA");
  model.load_weights(model_dir);
  model.inverse_frequencies_ = llm::inverse_frequencies(model.config_.rope, model.config_.head_dim).to(model.device_);
  return model;
}

void Model::load_weights(const std::filesystem::path& model_dir) {
  const Checkpoint checkpoint = Checkpoint::open(model_dir);
  WeightReader read(checkpoint, dtype_, device_);
  const ModelConfig& c = config_;
  const std::int64_t hidden = c.hidden_size, q = c.num_attention_heads * c.head_dim;
  const std::int64_t kv = c.num_key_value_heads * c.head_dim, ffn = c.intermediate_size;

  embed_tokens_ = read("model.embed_tokens.weight", {c.vocab_size, hidden});
  final_norm_ = read("model.norm.weight", {hidden});
  lm_head_ = c.tie_word_embeddings ? embed_tokens_ : read("lm_head.weight", {c.vocab_size, hidden});
  for (std::int64_t l = 0; l < c.num_hidden_layers; ++l) {
    const std::string at = cat("model.layers.", l, "."), attention = at + "self_attn.", mlp = at + "mlp.";
    Layer layer;
    layer.input_norm = read(at + "input_layernorm.weight", {hidden});
    layer.post_attention_norm = read(at + "post_attention_layernorm.weight", {hidden});
    const std::vector<std::pair<std::string, std::int64_t>> qkv = {{"q_proj", q}, {"k_proj", kv}, {"v_proj", kv}};
    const std::vector<std::pair<std::string, std::int64_t>> gate_up = {{"gate_proj", ffn}, {"up_proj", ffn}};
    layer.qkv = read.stacked(attention, qkv, ".weight", hidden);
    if (c.qkv_bias) layer.qkv_bias = read.stacked(attention, qkv, ".bias", std::nullopt);
    layer.out = read(attention + "o_proj.weight", {hidden, q});
    if (c.attention_output_bias) layer.out_bias = read(attention + "o_proj.bias", {hidden});
    layer.gate_up = read.stacked(mlp, gate_up, ".weight", hidden);
    if (c.mlp_bias) layer.gate_up_bias = read.stacked(mlp, gate_up, ".bias", std::nullopt);
    layer.down = read(mlp + "down_proj.weight", {hidden, ffn});
    if (c.mlp_bias) layer.down_bias = read(mlp + "down_proj.bias", {hidden});
    layers_.push_back(std::move(layer));
  }
  unused_ = read.unused();
  fingerprint_ = checkpoint.fingerprint();
}

KvCache Model::make_cache(std::int64_t capacity) const {
  return KvCache(config_.num_hidden_layers, std::max<std::int64_t>(capacity, 1), config_.num_key_value_heads,
                 config_.head_dim, at::TensorOptions().dtype(dtype_).device(device_));
}

at::Tensor Model::embed(std::span<const std::int64_t> ids) const {
  for (std::int64_t id : ids)
    if (id < 0 || id >= config_.vocab_size)
      fail_input("token id ", id, " is outside the embedding table of ", config_.vocab_size, " rows");
  c10::InferenceMode guard;
  const at::Tensor index = at::tensor(at::ArrayRef<std::int64_t>(ids.data(), ids.size()), at::kLong);
  return embed_tokens_.index_select(0, index.to(device_));
}

at::Tensor Model::norm(const at::Tensor& hidden, const at::Tensor& weight) const {
  const at::Tensor wide = hidden.to(at::kFloat);
  const at::Tensor scale = wide.square().mean(-1, /*keepdim=*/true).add_(config_.rms_norm_eps).rsqrt_();
  return (wide * scale).to(dtype_) * weight;
}

at::Tensor Model::attention_block(const Layer& layer, const at::Tensor& hidden, LayerCache& cache,
                                  const ForwardInput& input, int index) const {
  const std::int64_t tokens = hidden.size(0), head_dim = config_.head_dim;
  const std::int64_t heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads;
  std::vector<std::int64_t> positions(static_cast<std::size_t>(tokens));
  for (std::int64_t& position : positions) position = cache.next_position++;
  const RopeTable table = rope_table(inverse_frequencies_, positions);

  const at::Tensor qkv =
      at::linear(norm(hidden, layer.input_norm), layer.qkv, layer.qkv_bias).view({tokens, -1, head_dim});
  const at::Tensor rotated = apply_rope(qkv.narrow(1, 0, heads + kv_heads), table);
  cache.append(rotated.narrow(1, heads, kv_heads), qkv.narrow(1, heads + kv_heads, kv_heads), positions);
  if (input.on_layer) input.on_layer(index);
  const at::Tensor mixed =
      attend(rotated.narrow(1, 0, heads).contiguous(), cache, input.phase == Phase::kPrefill, index, input.meters);
  return at::linear(mixed.view({tokens, heads * head_dim}), layer.out, layer.out_bias);
}

at::Tensor Model::mlp_block(const Layer& layer, const at::Tensor& hidden) const {
  const at::Tensor both = at::linear(norm(hidden, layer.post_attention_norm), layer.gate_up, layer.gate_up_bias);
  const at::Tensor gate = both.narrow(-1, 0, config_.intermediate_size);
  const at::Tensor up = both.narrow(-1, config_.intermediate_size, config_.intermediate_size);
  return at::linear(at::silu(gate).mul_(up), layer.down, layer.down_bias);
}

ForwardOutput Model::forward_chunk(const ForwardInput& input, KvCache& cache, std::int64_t rows_to_come) const {
  ForwardOutput output;
  output.captured.resize(input.capture_layers.size());
  at::Tensor hidden = input.embeddings.to(device_, dtype_);
  for (int l = 0; l < cache.layers(); ++l) {
    if (input.before_layer) input.before_layer(l);
    cache.layer(l).reserve(cache.layer(l).length() + rows_to_come);
    for (std::size_t i = 0; i < input.capture_layers.size(); ++i)
      if (input.capture_layers[i] == l) output.captured[i] = hidden.select(0, hidden.size(0) - 1).clone();
    for (const Injection& injection : input.injections)
      if (injection.layer == l) hidden = inject(hidden, injection);
    const Layer& layer = layers_[static_cast<std::size_t>(l)];
    hidden = hidden + attention_block(layer, hidden, cache.layer(l), input, l);
    hidden = hidden + mlp_block(layer, hidden);
  }
  if (input.logits != LogitRows::kNone)
    output.logits = at::linear(norm(last_rows(hidden, input.logits), final_norm_), lm_head_).to(at::kFloat);
  return output;
}

ForwardOutput Model::forward(const ForwardInput& input, KvCache& cache) const {
  c10::InferenceMode guard;
  const std::int64_t tokens = input.embeddings.size(0);
  bool whole = tokens <= kPrefillChunk;
  // The released code's mask lets a token see its successors, so they must be there.
  for (int l = 0; l < cache.layers(); ++l) whole = whole || cache.layer(l).authors_mask_context.has_value();
  if (whole) return forward_chunk(input, cache, tokens);

  std::vector<at::Tensor> logits;
  ForwardOutput output;
  for (std::int64_t begin = 0; begin < tokens; begin += kPrefillChunk) {
    const std::int64_t count = std::min(kPrefillChunk, tokens - begin);
    const bool last = begin + count == tokens;
    ForwardInput chunk{.embeddings = input.embeddings.narrow(0, begin, count),
                       .phase = input.phase,
                       .logits = last || input.logits == LogitRows::kAll ? input.logits : LogitRows::kNone,
                       .meters = input.meters};
    if (begin == 0) chunk.before_layer = input.before_layer;
    if (last) {
      chunk.capture_layers = input.capture_layers;
      chunk.injections = input.injections;
      chunk.on_layer = input.on_layer;
    }
    output = forward_chunk(chunk, cache, tokens - begin);
    if (output.logits.defined()) logits.push_back(output.logits);
  }
  if (!logits.empty()) output.logits = at::cat(logits);
  return output;
}

}  // namespace kvmesh::llm

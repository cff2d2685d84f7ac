#include "agents/llm/model.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "agents/llm/checkpoint.hpp"
#include "agents/llm/rope.hpp"
#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// Libtorch learned to multiply fp16 matrices on CPUs late, and not on all of them.
bool multiplies_fp16(at::Device device) {
  try {
    const at::Tensor some = at::ones({1, 2, 2}, at::TensorOptions().dtype(at::kHalf).device(device));
    at::linear(some[0], some[0]);
    at::bmm(some, some);
    return true;
  } catch (const c10::Error&) {
    return false;
  }
}

at::ScalarType compute_dtype(const std::string& asked, at::ScalarType stored, at::Device device) {
  if (asked == "fp32") return at::kFloat;
  if (asked == "bf16") return at::kBFloat16;
  if (asked == "fp16") {
    if (!multiplies_fp16(device))
      fail_input("dtype \"fp16\" cannot be computed on ", device.str(), " by this libtorch; use bf16 or fp32");
    return at::kHalf;
  }
  if (asked == "auto") {
    if (stored == at::kHalf && device.is_cuda()) return at::kHalf;
    return stored == at::kHalf || stored == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
  }
  fail_input("dtype \"", asked, "\" is not known; use auto, fp32, bf16 or fp16");
}

at::Device device_of(const std::string& name) {
  try {
    const at::Device device(name);
    if (device.is_cuda() && !at::hasCUDA()) fail_input("device \"", name, "\": this build has no CUDA");
    if (!device.is_cpu() && !device.is_cuda()) fail_input("device \"", name, "\" is not supported; use cpu or cuda:N");
    return device;
  } catch (const c10::Error&) {
    fail_input("device \"", name, "\" is not known; use cpu or cuda:N");
  }
}

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

at::Tensor activate(const at::Tensor& gate, Activation activation) {
  switch (activation) {
    case Activation::kSilu: return at::silu(gate);
    case Activation::kGeluTanh: return at::gelu(gate, "tanh");
  }
  return {};
}

at::Tensor softcapped(const at::Tensor& x, double cap) { return cap > 0 ? (x / cap).tanh_().mul_(cap) : x; }

}  // namespace

Model Model::load(const std::filesystem::path& model_dir, const Options& options) {
  c10::InferenceMode guard;
  Model model;
  model.config_ = read_config(model_dir);
  model.device_ = device_of(options.device);
  const Checkpoint checkpoint = Checkpoint::open(model_dir);
  model.dtype_ = compute_dtype(options.dtype, stored_dtype(checkpoint, model.config_), model.device_);
  model.weights_ = load_weights(checkpoint, model.config_, model.dtype_, model.device_);
  for (const RopeConfig& rope : model.config_.ropes)
    model.inverse_frequencies_.push_back(llm::inverse_frequencies(rope, model.config_.head_dim).to(model.device_));
  return model;
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
  return weights_.embed_tokens.index_select(0, index.to(device_));
}

struct Model::Run {
  const ForwardInput& input;
  std::int64_t tokens;
  std::int64_t rows_to_come;  ///< `tokens` and those that later chunks of the same forward() bring
  struct Made {
    std::int64_t first = 0;
    RopeTable table;
  };
  std::vector<Made> tables;  ///< by rope

  /// The table of a layer whose first token stands at `first`; made once for layers alike.
  const RopeTable& rope_at(const Model& model, int layer, std::int64_t first) {
    const std::size_t rope = model.config_.layers[static_cast<std::size_t>(layer)].rope;
    const RopeConfig& config = model.config_.ropes[rope];
    Made& made = tables.at(rope);
    if (made.table.cos.defined() && made.first == first) return made.table;
    at::Tensor frequencies = model.inverse_frequencies_[rope];
    if (config.depends_on_length())
      frequencies = llm::inverse_frequencies(config, model.config_.head_dim, first + rows_to_come).to(model.device_);
    made = {first, rope_table(frequencies, first, tokens)};
    return made.table;
  }
};

at::Tensor Model::norm(const at::Tensor& hidden, const at::Tensor& weight) const {
  const at::Tensor wide = hidden.to(at::kFloat);
  const at::Tensor scale = wide.square().mean(-1, /*keepdim=*/true).add_(config_.rms_norm_eps).rsqrt_();
  return config_.norm_plus_one ? (wide * scale * weight).to(dtype_) : (wide * scale).to(dtype_) * weight;
}

at::Tensor Model::attention_block(const at::Tensor& hidden, LayerCache& cache, int index, Run& run) const {
  const LayerWeights& layer = weights_.layers[static_cast<std::size_t>(index)];
  const std::int64_t tokens = run.tokens, head_dim = config_.head_dim;
  const std::int64_t heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads;
  const RopeTable& table = run.rope_at(*this, index, cache.next_position);
  std::vector<std::int64_t> positions(static_cast<std::size_t>(tokens));
  for (std::int64_t& position : positions) position = cache.next_position++;

  const at::Tensor qkv =
      at::linear(norm(hidden, layer.attention_norm), layer.qkv, layer.qkv_bias).view({tokens, -1, head_dim});
  at::Tensor qk = qkv.narrow(1, 0, heads + kv_heads);
  if (layer.qk_norm.defined()) qk = norm(qk, layer.qk_norm);
  const at::Tensor rotated = apply_rope(qk, table);
  cache.append(rotated.narrow(1, heads, kv_heads), qkv.narrow(1, heads + kv_heads, kv_heads), positions);
  if (run.input.on_layer) run.input.on_layer(index);
  const AttentionRule rule{.scale = config_.attention_scale,
                           .softcap = config_.attention_softcap,
                           .window = config_.layers[static_cast<std::size_t>(index)].window};
  const at::Tensor mixed = attend(rotated.narrow(1, 0, heads).contiguous(), cache, rule,
                                  run.input.phase == Phase::kPrefill, index, run.input.meters);
  const at::Tensor out = at::linear(mixed.view({tokens, heads * head_dim}), layer.out, layer.out_bias);
  return layer.after_attention_norm.defined() ? norm(out, layer.after_attention_norm) : out;
}

at::Tensor Model::mlp_block(const LayerWeights& layer, const at::Tensor& hidden) const {
  const at::Tensor both = at::linear(norm(hidden, layer.mlp_norm), layer.gate_up, layer.gate_up_bias);
  const at::Tensor gate = both.narrow(-1, 0, config_.intermediate_size);
  const at::Tensor up = both.narrow(-1, config_.intermediate_size, config_.intermediate_size);
  const at::Tensor out = at::linear(activate(gate, config_.activation).mul_(up), layer.down, layer.down_bias);
  return layer.after_mlp_norm.defined() ? norm(out, layer.after_mlp_norm) : out;
}

ForwardOutput Model::forward_chunk(const ForwardInput& input, KvCache& cache, std::int64_t rows_to_come) const {
  ForwardOutput output;
  output.captured.resize(input.capture_layers.size());
  at::Tensor hidden = input.embeddings.to(device_, dtype_);
  if (config_.embedding_scale != 1) hidden = hidden * at::scalar_tensor(config_.embedding_scale, hidden.options());
  Run run{.input = input,
          .tokens = hidden.size(0),
          .rows_to_come = rows_to_come,
          .tables = std::vector<Run::Made>(config_.ropes.size())};
  for (int l = 0; l < cache.layers(); ++l) {
    if (input.before_layer) input.before_layer(l);
    cache.layer(l).reserve(cache.layer(l).length() + rows_to_come);
    for (std::size_t i = 0; i < input.capture_layers.size(); ++i)
      if (input.capture_layers[i] == l) output.captured[i] = hidden.select(0, hidden.size(0) - 1).clone();
    for (const Injection& injection : input.injections)
      if (injection.layer == l) hidden = inject(hidden, injection);
    hidden = hidden + attention_block(hidden, cache.layer(l), l, run);
    hidden = hidden + mlp_block(weights_.layers[static_cast<std::size_t>(l)], hidden);
  }
  if (input.logits != LogitRows::kNone) {
    const at::Tensor last = norm(last_rows(hidden, input.logits), weights_.final_norm);
    output.logits = softcapped(at::linear(last, weights_.lm_head).to(at::kFloat), config_.final_softcap);
  }
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
                       .meters = input.meters,
                       .on_layer = input.on_layer};
    if (begin == 0) chunk.before_layer = input.before_layer;
    if (last) {
      chunk.capture_layers = input.capture_layers;
      chunk.injections = input.injections;
    }
    output = forward_chunk(chunk, cache, tokens - begin);
    if (output.logits.defined()) logits.push_back(output.logits);
  }
  if (!logits.empty()) output.logits = at::cat(logits);
  return output;
}

}  // namespace kvmesh::llm

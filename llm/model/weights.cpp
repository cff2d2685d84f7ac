#include "llm/model/weights.hpp"

#include <ATen/ATen.h>

#include <cstring>
#include <map>

namespace kvmesh::llm {
namespace {

bool is_aligned(const void* data, at::ScalarType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(dtype) == 0;
}

at::Tensor view_of(std::span<const std::byte> bytes, at::IntArrayRef shape, at::ScalarType dtype) {
  // Mapped bytes are read-only; from_blob has no const form.
  auto* data = const_cast<std::byte*>(bytes.data());
  if (is_aligned(data, dtype)) return at::from_blob(data, shape, dtype);
  const at::Tensor copy = at::empty(shape, dtype);
  std::memcpy(copy.data_ptr(), data, bytes.size());
  return copy;
}

/// Makes weights of tensors, in the compute dtype, and keeps the digests of what it read. Where stored and computed
/// dtype are the same and nothing is stacked, the mapped file itself is the weight.
class WeightReader {
 public:
  WeightReader(const Checkpoint& checkpoint, const ModelConfig& config, at::TensorOptions options, std::stop_token stop)
      : checkpoint_(checkpoint), config_(config), options_(options), stop_(std::move(stop)) {}

  at::Tensor operator()(const WeightSource& source) {
    if (source.empty()) return {};
    const StoredTensor first = checkpoint_.get(source[0].name, source[0].shape);
    const at::ScalarType stored = scalar_type_of(first.dtype);
    const bool as_it_is = source.size() == 1 && stored == options_.dtype() && options_.device().is_cpu();
    if (!as_it_is || !is_aligned(first.bytes.data(), stored)) return copied(source, options_);
    read(source[0], {.on_piece = nullptr, .release = false, .stop = stop_});
    return as_tensor(first);
  }

  at::Tensor norm(const WeightSource& source) {
    if (source.empty() || !config_.norm_plus_one) return (*this)(source);
    return copied(source, options_.dtype(at::kFloat)).add_(1);
  }

  const std::map<std::string, std::uint64_t>& digests() const { return digests_; }

 private:
  at::Tensor copied(const WeightSource& source, at::TensorOptions options) {
    std::vector<std::int64_t> shape = source[0].shape;
    shape[0] = 0;
    for (const SourceTensor& tensor : source) shape[0] += tensor.shape[0];
    const at::Tensor stack = at::empty(shape, options);
    std::int64_t row = 0;
    for (const SourceTensor& tensor : source) {
      copy(tensor, stack.narrow(0, row, tensor.shape[0]).view(-1));
      row += tensor.shape[0];
    }
    return stack;
  }

  void copy(const SourceTensor& tensor, const at::Tensor& into) {
    const at::ScalarType stored = scalar_type_of(checkpoint_.get(tensor.name, tensor.shape).dtype);
    const auto element = static_cast<std::int64_t>(c10::elementSize(stored));
    const auto on_piece = [&](std::int64_t first, std::span<const std::byte> numbers) {
      const std::int64_t count = static_cast<std::int64_t>(numbers.size()) / element;
      into.narrow(0, first, count).copy_(view_of(numbers, count, stored));
    };
    read(tensor, {.on_piece = on_piece, .stop = stop_});
  }

  void read(const SourceTensor& tensor, const Checkpoint::ReadOptions& how) {
    digests_[tensor.name] = checkpoint_.read(tensor.name, tensor.shape, how);
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  at::TensorOptions options_;
  std::stop_token stop_;
  std::map<std::string, std::uint64_t> digests_;
};

LayerWeights load_layer(WeightReader& read, const ModelConfig& config, const LayerSources& from) {
  LayerWeights layer;
  layer.attention_norm = read.norm(from.attention_norm);
  layer.after_attention_norm = read.norm(from.after_attention_norm);
  layer.mlp_norm = read.norm(from.mlp_norm);
  layer.after_mlp_norm = read.norm(from.after_mlp_norm);
  layer.qkv = read(from.qkv);
  layer.qkv_bias = read(from.qkv_bias);
  if (config.qk_norm) {
    const at::Tensor q_norm = read.norm(from.q_norm), k_norm = read.norm(from.k_norm);
    layer.qk_norm =
        at::cat({q_norm.expand({config.num_attention_heads, -1}), k_norm.expand({config.num_key_value_heads, -1})});
  }
  layer.out = read(from.out);
  layer.out_bias = read(from.out_bias);
  layer.gate_up = read(from.gate_up);
  layer.gate_up_bias = read(from.gate_up_bias);
  layer.down = read(from.down);
  layer.down_bias = read(from.down_bias);
  return layer;
}

}  // namespace

at::ScalarType scalar_type_of(StoredDtype dtype) {
  switch (dtype) {
    case StoredDtype::kDouble: return at::kDouble;
    case StoredDtype::kFloat: return at::kFloat;
    case StoredDtype::kHalf: return at::kHalf;
    case StoredDtype::kBFloat16: return at::kBFloat16;
    case StoredDtype::kLong: return at::kLong;
    case StoredDtype::kInt: return at::kInt;
    case StoredDtype::kShort: return at::kShort;
    case StoredDtype::kChar: return at::kChar;
    case StoredDtype::kByte: return at::kByte;
    case StoredDtype::kBool: return at::kBool;
  }
  return at::kFloat;
}

at::Tensor as_tensor(const StoredTensor& stored) {
  const at::ScalarType dtype = scalar_type_of(stored.dtype);
  if (!is_aligned(stored.bytes.data(), dtype)) return view_of(stored.bytes.span(), stored.shape, dtype);
  auto keep = [bytes = stored.bytes](void*) {};
  return at::from_blob(const_cast<std::byte*>(stored.bytes.data()), stored.shape, keep, dtype);
}

Weights load_weights(const Checkpoint& checkpoint, const WeightSources& sources, const ModelConfig& config,
                     at::ScalarType dtype, at::Device device, const std::stop_token& stop) {
  WeightReader read(checkpoint, config, at::TensorOptions().dtype(dtype).device(device), stop);
  Weights weights;
  weights.embed_tokens = read(sources.embed_tokens);
  weights.final_norm = read.norm(sources.final_norm);
  const bool tied = sources.lm_head[0].name == sources.embed_tokens[0].name;
  weights.lm_head = tied ? weights.embed_tokens : read(sources.lm_head);
  for (const LayerSources& layer : sources.layers) weights.layers.push_back(load_layer(read, config, layer));
  weights.unused = sources.unused;
  weights.notes = sources.notes;
  weights.fingerprint = checkpoint.fingerprint(read.digests(), stop);
  return weights;
}

}  // namespace kvmesh::llm

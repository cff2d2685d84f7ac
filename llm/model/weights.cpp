#include "llm/model/weights.hpp"

#include <ATen/ATen.h>
#include <xxhash.h>

#include <cstring>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "llm/kernels/kernel_sets.hpp"
#include "llm/model/shared_block.hpp"

namespace kvmesh::llm {
namespace {

constexpr std::size_t kFingerprintDigits = 16;

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

at::Tensor dequantised(std::span<const std::byte> blocks, std::int64_t count, StoredDtype dtype) {
  const at::Tensor numbers = at::empty({count}, at::kFloat);
  kernels::best_set().dequantise({dtype, blocks.data(), 0, count, numbers.data_ptr<float>()}, {0, 1});
  return numbers;
}

/// Makes weights of tensors, in the compute dtype, and keeps the digests of what it read. Where stored and computed
/// dtype are the same and nothing is stacked, the mapped file itself is the weight, and so are matrices of GGUF files;
/// what has to be made stands in a block of memory, one weight behind the other.
class WeightMaker {
 public:
  enum class Step {
    kMeasure,  ///< makes nothing: counts the bytes of what would be made
    kMake,     ///< reads everything, and writes into the block, or without one into memory of its own
    kView,     ///< reads nothing: the block holds what was made
  };
  struct Place {
    Step step = Step::kMake;
    std::byte* block = nullptr;
    std::shared_ptr<const void> keep;  ///< of what is made, as long as a weight lives
  };

  WeightMaker(const Checkpoint& checkpoint, const ModelConfig& config, at::TensorOptions options, std::stop_token stop,
              Place place)
      : checkpoint_(checkpoint),
        config_(config),
        options_(options),
        stop_(std::move(stop)),
        place_(std::move(place)),
        makes_(place_.step == Step::kMake) {}

  at::Tensor operator()(const WeightSource& source) {
    if (source.empty()) return {};
    const StoredTensor first = checkpoint_.get(source[0].name, source[0].shape);
    const at::ScalarType stored = scalar_type_of(first.dtype);
    const bool as_it_is = source.size() == 1 && stored == options_.dtype() && options_.device().is_cpu() &&
                          !is_quantised(first.dtype) && source[0].interleaved == 0;
    if (!as_it_is || !is_aligned(first.bytes.data(), stored)) return stacked(source);
    if (makes_) read(source[0], {.on_piece = nullptr, .release = false, .stop = stop_});
    return as_tensor(first);
  }

  /// A weight that activations are multiplied by.
  Matrix matrix(const WeightSource& source) {
    if (!checkpoint_.is_gguf() || !options_.device().is_cpu()) return (*this)(source);
    std::vector<Matrix::Piece> pieces;
    for (const SourceTensor& tensor : source) {
      const StoredTensor stored = checkpoint_.get(tensor.name, tensor.shape);
      pieces.push_back({stored.dtype, stored.bytes, tensor.shape[0], tensor.interleaved});
    }
    return Matrix(std::move(pieces), source[0].shape[1], options_.dtype().toScalarType());
  }

  at::Tensor norm(const WeightSource& source) {
    if (source.empty() || !norms_apart()) return (*this)(source);
    const at::Tensor made = take(source[0].shape, at::kFloat);
    if (!makes_) return made;
    copy(source[0], made);
    return config_.norm_plus_one ? made.add_(1) : made;
  }

  /// A row per head: `queries` times that of queries, then that of keys.
  at::Tensor head_norms(const LayerSources& from) {
    const std::int64_t heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads;
    const at::Tensor norms =
        take({heads + kv_heads, config_.head_dim}, norms_apart() ? at::kFloat : options_.dtype().toScalarType());
    if (!makes_) return norms;
    copy(from.q_norm[0], norms[0]);
    copy(from.k_norm[0], norms[heads]);
    if (config_.norm_plus_one) {
      norms[0].add_(1);
      norms[heads].add_(1);
    }
    norms.narrow(0, 1, heads - 1).copy_(norms.narrow(0, 0, 1).expand({heads - 1, -1}));
    norms.narrow(0, heads + 1, kv_heads - 1).copy_(norms.narrow(0, heads, 1).expand({kv_heads - 1, -1}));
    return norms;
  }

  const std::map<std::string, std::uint64_t>& digests() const { return digests_; }
  /// Of the block, that were handed out.
  std::size_t taken() const { return taken_; }

 private:
  /// Norms stay fp32, whatever is computed in: those of (1 + w), and GGUF's, which hold that sum already.
  bool norms_apart() const { return config_.norm_plus_one || checkpoint_.is_gguf(); }

  at::Tensor take(std::vector<std::int64_t> shape, at::ScalarType dtype) {
    constexpr std::size_t kLine = 64;  // what vectors are loaded by
    const std::size_t at = taken_;
    taken_ +=
        (static_cast<std::size_t>(c10::multiply_integers(shape)) * c10::elementSize(dtype) + kLine - 1) / kLine * kLine;
    if (place_.step == Step::kMeasure) return at::empty(shape, at::TensorOptions(dtype).device(at::kMeta));
    if (!place_.block) return at::empty(shape, options_.dtype(dtype));
    return at::from_blob(
        place_.block + at, shape, [keep = place_.keep](void*) {}, dtype);
  }

  at::Tensor stacked(const WeightSource& source) {
    std::vector<std::int64_t> shape = source[0].shape;
    shape[0] = 0;
    for (const SourceTensor& tensor : source) shape[0] += tensor.shape[0];
    const at::Tensor stack = take(shape, options_.dtype().toScalarType());
    if (!makes_) return stack;
    std::int64_t row = 0;
    for (const SourceTensor& tensor : source) {
      const at::Tensor rows = stack.narrow(0, row, tensor.shape[0]);
      copy(tensor, rows.view(-1));
      if (const std::int64_t d = tensor.interleaved; d > 0)
        rows.copy_(rows.view({tensor.shape[0] / d, d / 2, 2, -1}).transpose(1, 2).reshape(rows.sizes()));
      row += tensor.shape[0];
    }
    return stack;
  }

  void copy(const SourceTensor& tensor, const at::Tensor& into) {
    const StoredDtype dtype = checkpoint_.get(tensor.name, tensor.shape).dtype;
    const auto element = static_cast<std::int64_t>(element_size(dtype));
    const auto on_piece = [&](std::int64_t first, std::span<const std::byte> numbers) {
      const std::int64_t count = static_cast<std::int64_t>(numbers.size()) / element * block_length(dtype);
      into.narrow(0, first, count)
          .copy_(is_quantised(dtype) ? dequantised(numbers, count, dtype)
                                     : view_of(numbers, count, scalar_type_of(dtype)));
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
  Place place_;
  bool makes_;
  std::size_t taken_ = 0;
  std::map<std::string, std::uint64_t> digests_;
};

LayerWeights make_layer(WeightMaker& make, const ModelConfig& config, const LayerSources& from) {
  LayerWeights layer;
  layer.attention_norm = make.norm(from.attention_norm);
  layer.after_attention_norm = make.norm(from.after_attention_norm);
  layer.mlp_norm = make.norm(from.mlp_norm);
  layer.after_mlp_norm = make.norm(from.after_mlp_norm);
  layer.qkv = make.matrix(from.qkv);
  layer.qkv_bias = make(from.qkv_bias);
  if (config.qk_norm) layer.qk_norm = make.head_norms(from);
  layer.out = make.matrix(from.out);
  layer.out_bias = make(from.out_bias);
  layer.gate_up = make.matrix(from.gate_up);
  layer.gate_up_bias = make(from.gate_up_bias);
  layer.down = make.matrix(from.down);
  layer.down_bias = make(from.down_bias);
  return layer;
}

Weights make_weights(WeightMaker& make, const WeightSources& sources, const ModelConfig& config) {
  Weights weights;
  weights.embed_tokens = make.matrix(sources.embed_tokens);
  weights.final_norm = make.norm(sources.final_norm);
  const bool tied = sources.lm_head[0].name == sources.embed_tokens[0].name;
  weights.lm_head = tied ? weights.embed_tokens : make.matrix(sources.lm_head);
  for (const LayerSources& layer : sources.layers) weights.layers.push_back(make_layer(make, config, layer));
  weights.unused = sources.unused;
  weights.notes = sources.notes;
  return weights;
}

/// Tells apart all blocks that may be made: the files, what is taken out of them, and what is made of it.
std::uint64_t key_of(const Checkpoint& checkpoint, const WeightSources& sources, const ModelConfig& config,
                     at::ScalarType dtype) {
  std::string text = cat("2 ", c10::toString(dtype), ' ', config.norm_plus_one, ' ', config.num_attention_heads, ' ',
                         config.num_key_value_heads, '\n');
  for (const TensorFile& file : checkpoint.files()) text += file.identity() + '\n';
  for_each_source(sources, [&](const WeightSource& source) {
    for (const SourceTensor& tensor : source) text += tensor.name + ' ' + describe_shape(tensor.shape) + ' ';
    text += '\n';
  });
  return XXH3_64bits(text.data(), text.size());
}

/// Weights on the CPU, made by whichever process of this host needs them first and read by all.
Weights share_weights(const Checkpoint& checkpoint, const WeightSources& sources, const ModelConfig& config,
                      at::ScalarType dtype, const std::stop_token& stop) {
  using Step = WeightMaker::Step;
  WeightMaker measure(checkpoint, config, dtype, stop, {.step = Step::kMeasure, .block = nullptr, .keep = nullptr});
  make_weights(measure, sources, config);
  // Behind the weights stands their fingerprint, so that who finds them made has nothing to read.
  const std::size_t size = measure.taken();
  const auto fill = [&](std::span<std::byte> bytes) {
    WeightMaker make(checkpoint, config, dtype, stop, {.step = Step::kMake, .block = bytes.data(), .keep = nullptr});
    make_weights(make, sources, config);
    const std::string fingerprint = checkpoint.fingerprint(make.digests(), stop);
    std::memcpy(bytes.data() + size, fingerprint.data(), kFingerprintDigits);
  };
  const OwnedBytes block =
      SharedBlock::get(key_of(checkpoint, sources, config, dtype), size + kFingerprintDigits, fill, stop);
  auto* bytes = const_cast<std::byte*>(block.data());  // from_blob has no const form
  WeightMaker view(checkpoint, config, dtype, stop, {.step = Step::kView, .block = bytes, .keep = block.owner()});
  Weights weights = make_weights(view, sources, config);
  weights.fingerprint = block.part(size, kFingerprintDigits).text();
  return weights;
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
    case StoredDtype::kQ4_0:
    case StoredDtype::kQ4_1:
    case StoredDtype::kQ5_0:
    case StoredDtype::kQ5_1:
    case StoredDtype::kQ8_0:
    case StoredDtype::kQ2_K:
    case StoredDtype::kQ3_K:
    case StoredDtype::kQ4_K:
    case StoredDtype::kQ5_K:
    case StoredDtype::kQ6_K:
    case StoredDtype::kIQ4_NL: break;
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
  if (device.is_cpu()) return share_weights(checkpoint, sources, config, dtype, stop);
  WeightMaker make(checkpoint, config, at::TensorOptions(dtype).device(device), stop, {});
  Weights weights = make_weights(make, sources, config);
  weights.fingerprint = checkpoint.fingerprint(make.digests(), stop);
  return weights;
}

}  // namespace kvmesh::llm

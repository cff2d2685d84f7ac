#include "llm/model/model.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "llm/model/compute_options.hpp"
#include "llm/model/pass.hpp"
#include "llm/model/rope.hpp"

namespace kvmesh::llm {
namespace {

at::ScalarType compute_dtype(ComputeDtype asked, StoredDtype stored) {
  switch (asked) {
    case ComputeDtype::kFp32: return at::kFloat;
    case ComputeDtype::kBf16: return at::kBFloat16;
    case ComputeDtype::kFp16: return at::kHalf;
    case ComputeDtype::kAuto: break;
  }
  const bool half = stored == StoredDtype::kHalf || stored == StoredDtype::kBFloat16;
  return half ? scalar_type_of(stored) : at::kFloat;
}

at::Device device_of(const std::string& name) {
  refuse_unknown_device(name);
  const at::Device device(name);
  if (device.is_cuda() && !at::hasCUDA()) fail_input("device \"", name, "\": this build has no CUDA");
  return device;
}

/// The last row of `hidden` combined with the injected state; trailing coordinates where widths differ.
void inject(at::Tensor& hidden, const Injection& injection) {
  const std::int64_t width = std::min(injection.state.size(0), hidden.size(1));
  at::Tensor row = hidden.select(0, hidden.size(0) - 1).narrow(0, hidden.size(1) - width, width);
  const at::Tensor state = injection.state.narrow(0, injection.state.size(0) - width, width).to(row.options());
  switch (injection.combine) {
    case wire::Combine::kReplace: row.copy_(state); break;
    case wire::Combine::kSum: row.add_(state); break;
    case wire::Combine::kMean: row.add_(state).div_(2); break;
  }
}

}  // namespace

Model Model::load(const std::filesystem::path& model_dir, const Options& options) {
  c10::InferenceMode guard;
  ModelConfig config = read_config(model_dir);
  const at::Device device = device_of(options.device);
  const ComputeDtype asked = parse_compute_dtype(options.dtype);
  const Checkpoint checkpoint = Checkpoint::open(model_dir);
  const WeightSources sources = find_weights(checkpoint, config);
  const at::ScalarType dtype = compute_dtype(asked, sources.dtype);
  Weights weights = load_weights(checkpoint, sources, config, dtype, device, options.stop);
  return Model(std::move(config), std::move(weights));
}

Model Model::of(ModelConfig config, Weights weights) {
  c10::InferenceMode guard;
  return Model(std::move(config), std::move(weights));
}

Model::Model(ModelConfig config, Weights weights)
    : config_(std::move(config)),
      weights_(std::move(weights)),
      dtype_(weights_.embed_tokens.options().dtype().toScalarType()),
      device_(weights_.embed_tokens.options().device()) {
  for (const RopeConfig& rope : config_.ropes)
    inverse_frequencies_.push_back(llm::inverse_frequencies(rope, config_.head_dim).to(device_));
}

KvCache Model::make_cache(std::int64_t capacity, const MakeRoom& room) const {
  return KvCache(config_.num_hidden_layers, std::max<std::int64_t>(capacity, 1), config_.num_key_value_heads,
                 config_.head_dim, options(), room);
}

at::Tensor Model::embed(std::span<const std::int64_t> ids) const {
  c10::InferenceMode guard;
  at::Tensor rows = at::empty({static_cast<std::int64_t>(ids.size()), config_.hidden_size}, options());
  embed_into(rows, ids);
  return rows;
}

void Model::embed_into(at::Tensor& out, std::span<const std::int64_t> ids) const {
  TORCH_INTERNAL_ASSERT(out.is_contiguous() && out.size(0) == static_cast<std::int64_t>(ids.size()));
  for (std::int64_t id : ids)
    if (id < 0 || id >= config_.vocab_size)
      fail_input("token id ", id, " is outside the embedding table of ", config_.vocab_size, " rows");
  if (!device_.is_cpu()) {
    const at::Tensor index = at::tensor(at::ArrayRef<std::int64_t>(ids.data(), ids.size()), at::kLong);
    at::index_select_out(out, embedding_table().dense(), 0, index.to(device_));
    return;
  }
  auto* to = static_cast<char*>(out.data_ptr());
  for (std::int64_t id : ids) {
    embedding_table().copy_row(id, to);
    to += static_cast<std::size_t>(config_.hidden_size) * out.element_size();
  }
}

ForwardOutput Model::forward(const ForwardInput& input, KvCache& cache) const {
  c10::InferenceMode guard;
  const std::int64_t tokens = input.embeddings.size(0);
  std::int64_t chunk = kPrefillChunk;
  // The released code's mask lets a token see its successors, so they must be there.
  for (int l = 0; l < cache.layers(); ++l)
    if (cache.layer(l).authors_mask_context) chunk = tokens;

  Pass pass(*this);
  ForwardOutput output;
  output.captured.resize(input.capture_layers.size());
  if (input.logits != LogitRows::kNone)
    output.logits = at::empty({input.logits == LogitRows::kAll ? tokens : 1, config_.vocab_size},
                              at::TensorOptions().dtype(at::kFloat).device(device_));
  for (std::int64_t begin = 0; begin < tokens; begin += chunk) {
    const std::int64_t count = std::min(chunk, tokens - begin);
    const bool first = begin == 0, last = begin + count == tokens;
    const PassPart part{.cache = &cache, .tokens = count, .rows_to_come = tokens - begin, .phase = input.phase};
    pass.begin({&part, 1}).copy_(input.embeddings.narrow(0, begin, count));
    PassHooks hooks{.on_layer = input.on_layer, .meters = input.meters};
    hooks.before_layer = [&](int layer, at::Tensor& hidden) {
      if (first && input.before_layer) input.before_layer(layer);
      if (!last) return;
      for (std::size_t i = 0; i < input.capture_layers.size(); ++i)
        if (input.capture_layers[i] == layer) output.captured[i] = hidden.select(0, count - 1).clone();
      for (const Injection& injection : input.injections)
        if (injection.layer == layer) inject(hidden, injection);
    };
    if (input.logits == LogitRows::kNone && input.meters.empty()) pass.run_to_last_keys(hooks);
    else pass.run(hooks);
    if (input.logits == LogitRows::kAll) output.logits.narrow(0, begin, count).copy_(pass.logits(0, count));
    if (input.logits == LogitRows::kLast && last) output.logits.copy_(pass.logits(count - 1, 1));
  }
  return output;
}

}  // namespace kvmesh::llm

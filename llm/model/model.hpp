#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "kvcodec/wire/combine.hpp"
#include "llm/cache/kv_cache.hpp"
#include "llm/model/attention.hpp"
#include "llm/model/config.hpp"
#include "llm/model/weights.hpp"

namespace kvmesh::llm {

/// Prefill and decode are told apart by what the caller does, not by length: a prompt of one token is a prefill.
enum class Phase { kPrefill, kDecode };
/// Rows whose logits are wanted. kNone: the keys and values are, and what only logits need is not computed.
enum class LogitRows { kNone, kLast, kAll };

/// A hidden state that enters the last token before a layer (activation communication).
struct Injection {
  int layer = 0;
  at::Tensor state;  ///< [width]; the trailing min(width, hidden_size) coordinates take part
  wire::Combine combine = wire::Combine::kReplace;
};

/// One run of tokens through the model.
struct ForwardInput {
  at::Tensor embeddings;  ///< [tokens, hidden_size], of Model::embed or received; not yet scaled
  Phase phase = Phase::kPrefill;
  LogitRows logits = LogitRows::kLast;
  std::vector<int> capture_layers;    ///< keep the states that enter these layers at the last token
  std::vector<Injection> injections;  ///< prefill only
  std::vector<AttentionMeter*> meters;
  /// Called before a layer is computed, and before its cache is looked at, from the calling thread: the place to wait
  /// until others' rows stand in it. What it throws ends forward().
  std::function<void(int layer)> before_layer;
  /// Called as soon as a layer's cache holds the rows of one more chunk, from the calling thread.
  std::function<void(int layer)> on_layer;
};

struct ForwardOutput {
  at::Tensor logits;                 ///< fp32 [rows, vocab_size]; undefined for LogitRows::kNone
  std::vector<at::Tensor> captured;  ///< [hidden_size] each, in the order of ForwardInput::capture_layers
};

/// A decoder and its weights. Const members may be called from several threads, each with a cache of its own.
class Model {
 public:
  struct Options {
    /// What weights, activations, keys and values are in: "fp32", "bf16", "fp16"; "auto": what the weights are stored
    /// in, fp32 where they are quantised (docs/decisions/0018-gguf-in-place.md). What products are computed in is the
    /// processor's to say: product_type (llm/runtime.hpp). Matrices of GGUF files stay as they are stored.
    std::string dtype = "auto";
    std::string device = "cpu";  ///< or "cuda:0"
    std::stop_token stop;        ///< asked between pieces of 1 MiB while weights are read
  };

  /// Reads config.json and the weights. Throws Error{kFixInput} that names file and tensor; Error{kGiveUp} soon after
  /// `options.stop` is requested.
  static Model load(const std::filesystem::path& model_dir, const Options& options);

  /// A model of weights that are in memory: in the compute dtype, on the device that they lie on.
  static Model of(ModelConfig config, Weights weights);

  const ModelConfig& config() const { return config_; }
  const Weights& weights() const { return weights_; }
  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const { return device_; }
  /// dtype() and device() together.
  at::TensorOptions options() const { return at::TensorOptions(dtype_).device(device_); }
  /// [vocab_size, hidden_size], a row a token, before the scale that some families multiply it by.
  const Matrix& embedding_table() const { return weights_.embed_tokens; }
  /// Rotary frequencies of a layer, [head_dim/2]; under `dynamic` scaling those of a sequence that is not too long.
  const at::Tensor& inverse_frequencies(int layer) const {
    return inverse_frequencies_.at(config_.layers.at(static_cast<std::size_t>(layer)).rope);
  }
  /// 16 hex digits over every weight; what profiles and reports know the model by.
  const std::string& fingerprint() const { return weights_.fingerprint; }
  /// Names of tensors in the checkpoint that the architecture does not use.
  const std::vector<std::string>& unused_tensors() const { return weights_.unused; }
  /// What was found in the checkpoint that a reader of the model's answers should know, a line each.
  const std::vector<std::string>& notes() const { return weights_.notes; }

  /// Its rows stand in memory of `room` where that has any.
  KvCache make_cache(std::int64_t capacity, const MakeRoom& room = nullptr) const;
  /// [ids, hidden_size]. Throws Error{kFixInput} on an id outside the table.
  at::Tensor embed(std::span<const std::int64_t> ids) const;
  /// The same into `out` [ids, hidden_size]; on the CPU without an allocation.
  void embed_into(at::Tensor& out, std::span<const std::int64_t> ids) const;
  /// Runs `input` after what `cache` holds, from each layer's next_position, and adds its rows. Long inputs go through
  /// in chunks of kPrefillChunk tokens, which bounds the memory of activations.
  ForwardOutput forward(const ForwardInput& input, KvCache& cache) const;

  static constexpr std::int64_t kPrefillChunk = 512;

 private:
  Model(ModelConfig config, Weights weights);

  ModelConfig config_;
  Weights weights_;
  at::ScalarType dtype_;
  at::Device device_;
  std::vector<at::Tensor> inverse_frequencies_;  // of each of config_.ropes
};

}  // namespace kvmesh::llm

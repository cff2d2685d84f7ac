#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "llm/model/model.hpp"

namespace kvmesh::llm {

/// Tokens of one sequence inside a pass: consecutive rows of its buffers, in the order of the parts.
struct PassPart {
  KvCache* cache = nullptr;
  std::int64_t tokens = 1;
  std::int64_t rows_to_come = 1;  ///< `tokens` and those that later passes of the same prompt bring
  Phase phase = Phase::kDecode;
};

struct PassHooks {
  /// Before a layer is computed and before its cache is looked at; `hidden` [rows, hidden_size] may be changed.
  std::function<void(int layer, at::Tensor& hidden)> before_layer;
  /// As soon as a layer's caches hold all rows of this pass.
  std::function<void(int layer)> on_layer;
  std::vector<AttentionMeter*> meters;  ///< with one part only
  /// The parts' caches lie in the same memory: the rows of each are used before those of the next are written there.
  bool shared_memory = false;
};

/// One trip of some tokens through all layers: a chunk of a prompt, or the next token of several sequences, whose
/// linear layers then read the weights once for all of them. Owns the buffers between the steps and keeps them as long
/// as the number of rows stays: on the CPU, with up to kernels::kFewRows rows and caches that have room, a pass after
/// the first allocates nothing. A resource; one thread at a time. Usage, under c10::InferenceMode:
///   pass.begin(parts) gives the rows to fill; pass.run(hooks); pass.logits(first, rows).
class Pass {
 public:
  /// `model` outlives the pass.
  explicit Pass(const Model& model);
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  /// Makes room; the caller fills the result, [rows, hidden_size], with embeddings, not yet scaled. Caches outlive
  /// run().
  at::Tensor& begin(std::span<const PassPart> parts);
  /// Runs the layers and adds the rows to each part's cache, from each layer's next_position.
  void run(const PassHooks& hooks);
  /// The same up to the last layer's keys and values, for who wants the caches and no logits: what comes behind them
  /// there is not computed, nor are its weights read.
  void run_to_last_keys(const PassHooks& hooks);
  /// Layers [first, end) alone. The rows of begin() are what enters layer `first`, and then what leaves the last one.
  void run_layers(int first, int end, const PassHooks& hooks);
  /// fp32 [rows, vocab_size] of rows [first, first + rows) of the last run; valid until the next begin() or logits().
  const at::Tensor& logits(std::int64_t first, std::int64_t rows);

 private:
  void allocate(std::int64_t rows);
  /// Makes room for part `p`, whose rows begin at `row`, in a layer's cache, and its angles; gives its place there.
  std::int64_t enter_cache(int index, std::size_t p, std::int64_t row);
  void attention_block(int index, const PassHooks& hooks);
  void mlp_block(const LayerWeights& layer);
  void keys_and_values_only(int index, const PassHooks& hooks);
  void fill_angles_at(int layer, std::size_t part, std::int64_t row, std::int64_t first);

  const Model& model_;
  std::vector<PassPart> parts_;
  std::vector<Asked> asked_;
  std::int64_t rows_ = 0;
  at::Tensor embedding_scale_;               // 0-d, in the compute dtype
  at::Tensor hidden_, normed_, out_;         // [rows, hidden]
  at::Tensor qkv_, qkv_heads_;               // [rows, (heads + 2 kv_heads) head_dim]; a view with heads apart
  at::Tensor queries_, mixed_, mixed_flat_;  // [rows, heads, head_dim]; a view [rows, heads * head_dim]
  at::Tensor gate_up_, gated_;               // [rows, 2 * intermediate], [rows, intermediate]
  std::vector<at::Tensor> cos_, sin_;        // of each rope, fp32 [rows, head_dim / 2]
  std::vector<std::vector<std::int64_t>> angles_from_;  // of each rope and part: the position they were made for, or -1
  std::int64_t logits_first_ = -1;
  at::Tensor logits_hidden_, logits_normed_;  // views of hidden_ and normed_
  at::Tensor logits_narrow_, logits_;         // [rows, vocab] in the compute dtype and in fp32
};

}  // namespace kvmesh::llm

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "llm/model/model.hpp"

namespace kvmesh::bench {

/// A Llama decoder as one writes it in libtorch on the first day, to compare with: separate projections, a cache that
/// grows by concatenation, keys and values repeated for each head, [heads, tokens, rows] scores behind a full mask.
/// Shares the weights of a model of ours, where libtorch multiplies their type fast on this processor, else takes them
/// in fp32; RMSNorm, SiLU, no biases, one RoPE.
class Straightforward {
 public:
  /// `model` outlives it.
  explicit Straightforward(const llm::Model& model);

  struct Cache {
    std::vector<at::Tensor> keys, values;  ///< of each layer [kv_heads, rows, head_dim]; empty at first
  };
  /// fp32 logits [1, vocab_size] behind the last of `ids`.
  at::Tensor forward(const std::vector<std::int64_t>& ids, Cache& cache) const;
  /// Bytes of scores that `tokens` at once need, beside the cache.
  double score_bytes(std::int64_t tokens) const;

 private:
  struct Layer {
    at::Tensor attention_norm, q, k, v, out, mlp_norm, gate, up, down;
  };
  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor attention(const Layer& layer, const at::Tensor& x, at::Tensor& keys, at::Tensor& values) const;

  const llm::Model& model_;
  std::vector<Layer> layers_;
  at::Tensor embed_tokens_, final_norm_, lm_head_;
};

}  // namespace kvmesh::bench

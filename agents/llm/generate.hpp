#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "agents/llm/model.hpp"

namespace kvmesh::llm {

struct GenerateOptions {
  int max_tokens = 0;
  std::vector<std::int64_t> stop_tokens;
  /// Called with each token as it is chosen, stop tokens not among them; false ends the generation.
  std::function<bool(std::int64_t id)> on_token;
  /// Also compute the pairs of the last token, so that the cache holds all that was written. The pairs of a stop token
  /// are never computed.
  bool complete_cache = false;
};

struct Generation {
  std::vector<std::int64_t> tokens;
  bool stopped = false;  ///< by a stop token, not by max_tokens
};

/// Greedy decoding: the first token is the best of `logits` [1, vocab_size], what prefill gave for the last position;
/// equal logits: the lower id.
Generation generate_greedy(const Model& model, KvCache& cache, const at::Tensor& logits,
                           const GenerateOptions& options);

}  // namespace kvmesh::llm

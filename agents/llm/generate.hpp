#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "agents/llm/model.hpp"
#include "base/sampling_options.hpp"

namespace kvmesh::llm {

struct GenerateOptions {
  int max_tokens = 0;
  std::vector<std::int64_t> stop_tokens;
  SamplingOptions sampling;                 ///< greedy where nothing is said
  std::uint64_t stream = 0;                 ///< tells the sequences of one seed apart, see Sampler
  std::vector<std::int64_t> prompt_tokens;  ///< what the repetition penalty counts besides what is generated
  /// Called with each token as it is chosen, stop tokens not among them; false ends the generation.
  std::function<bool(std::int64_t id)> on_token;
  /// Also compute the pairs of the last token, so that the cache holds all that was written. The pairs of a token that
  /// ended the generation (a stop token, or one at which `on_token` said so) are never computed.
  bool complete_cache = false;
};

struct Generation {
  std::vector<std::int64_t> tokens;
  bool stopped = false;  ///< by a stop token, not by max_tokens
};

/// Decodes token by token: the first is chosen from `logits` [1, vocab_size], what prefill gave for the last position.
/// Throws Error{kFixInput} for sampling options that cannot be meant.
Generation generate(const Model& model, KvCache& cache, const at::Tensor& logits, const GenerateOptions& options);

}  // namespace kvmesh::llm

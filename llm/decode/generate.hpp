#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/sampling_options.hpp"
#include "llm/decode/sampler.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::llm {

struct GenerateOptions {
  int max_tokens = 0;
  std::vector<std::int64_t> stop_tokens;
  SamplingOptions sampling;                 ///< greedy where nothing is said
  std::uint64_t stream = 0;                 ///< tells the sequences of one seed apart, see Sampler
  std::vector<std::int64_t> prompt_tokens;  ///< what the repetition penalty counts besides what is generated
  /// Called with each token as it is chosen, stop tokens not among them; false ends the generation.
  std::function<bool(std::int64_t id)> on_token;
  /// Called with the stop token that ends the generation.
  std::function<void(std::int64_t id)> on_stop_token;
  /// Also compute the pairs of the last token, so that the cache holds all that was written. The pairs of a token that
  /// ended the generation (a stop token, or one at which `on_token` said so) are never computed.
  bool complete_cache = false;
};

/// What one sequence says, token after token, and when it ends. Computes no logits, so that whoever does can do it for
/// several sequences together. A resource; one thread at a time.
class Generator {
 public:
  /// Throws Error{kFixInput} for sampling options that cannot be meant.
  explicit Generator(GenerateOptions options);

  /// Chooses from the logits behind the last token, fp32 [1, vocab_size], at first those of the prefill. Gives the
  /// token that is to enter the cache next; none: the sequence has ended.
  std::optional<std::int64_t> next(const at::Tensor& logits);

  /// What was generated so far, stop tokens not among it.
  const std::vector<std::int64_t>& tokens() const { return tokens_; }

 private:
  GenerateOptions options_;
  Sampler sampler_;
  std::vector<std::int64_t> history_;  ///< the prompt's tokens and ours
  std::vector<std::int64_t> tokens_;
};

/// Decodes token by token: the first is chosen from the last row of `logits`, what prefill gave for the last position.
/// Returns what was generated. Throws as Generator.
std::vector<std::int64_t> generate(const Model& model, KvCache& cache, const at::Tensor& logits,
                                   const GenerateOptions& options);

}  // namespace kvmesh::llm

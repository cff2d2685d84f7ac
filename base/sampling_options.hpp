#pragma once

#include <cstdint>
#include <string>

namespace kvmesh {

/// How the next token is drawn from a model's logits, in this order: repetition penalty, temperature, top-k, top-p,
/// min-p (the order of transformers). The default is greedy: the best token, always. A value.
struct SamplingOptions {
  double temperature = 0;         ///< logits are divided by it; 0: no draw, the best token
  std::int64_t top_k = 0;         ///< only the k best (and those that equal the k-th); 0: all
  double top_p = 1;               ///< only the best whose probabilities first reach p together
  double min_p = 0;               ///< only those at least p times as probable as the best
  double repetition_penalty = 1;  ///< of tokens already there: a logit above 0 is divided by it, one below multiplied
  std::uint64_t seed = 0;         ///< same seed, same text

  bool operator==(const SamplingOptions&) const = default;
};

/// What is wrong with `options`, as "top_p is 1.5, but must be above 0 and at most 1"; empty where nothing is. An
/// option that needs a temperature and would change nothing without one is wrong too.
std::string problem_of(const SamplingOptions& options);

}  // namespace kvmesh

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "base/sampling_options.hpp"

namespace kvmesh::llm {

/// Chooses the next token of one sequence: options and the generator that its draws come from, so that what one request
/// says does not depend on the requests beside it. A resource; one thread at a time.
class Sampler {
 public:
  /// `stream` tells sequences of one seed apart: the record's index in a mesh. Draws are our own, from
  /// std::mt19937_64, the same on every standard library. Throws Error{kFixInput} where problem_of(options) finds one.
  explicit Sampler(const SamplingOptions& options, std::uint64_t stream = 0);
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  Sampler(Sampler&&) = default;
  Sampler& operator=(Sampler&&) = default;

  /// The next token's id. `logits`: fp32, contiguous, [vocab_size] or [1, vocab_size], any device, left as it is.
  /// `history`: ids that the repetition penalty is for, the prompt's and those chosen so far; ids outside the
  /// vocabulary are passed over. Of equal logits the lower id is the better one. Throws Error{kGiveUp} where no logit
  /// is a number.
  std::int64_t choose(const at::Tensor& logits, std::span<const std::int64_t> history);

  /// A token that may be drawn; `score` is its logit over the temperature, less the best token's.
  struct Candidate {
    float score;
    std::int64_t id;
  };

 private:
  void penalise(std::span<const float> logits, std::span<const std::int64_t> history);
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  std::int64_t draw();
  double uniform();

  SamplingOptions options_;
  std::mt19937_64 generator_;
  // Kept between calls, so that a token allocates nothing.
  std::vector<float> scores_;
  std::vector<float> ranked_;
  std::vector<Candidate> candidates_;
};

}  // namespace kvmesh::llm

#include "llm/decode/sampler.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

std::mt19937_64 generator_of(std::uint64_t seed, std::uint64_t stream) {
  constexpr auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  constexpr auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  std::seed_seq sequence{low(seed), high(seed), low(stream), high(stream)};
  return std::mt19937_64(sequence);
}

/// Of a candidate's probability: 1 for the best.
double weight(const Sampler::Candidate& candidate) { return std::exp(static_cast<double>(candidate.score)); }

double total(std::span<const Sampler::Candidate> candidates) {
  double sum = 0;
  for (const Sampler::Candidate& candidate : candidates) sum += weight(candidate);
  return sum;
}

/// Where the largest score is, the first of equal ones; NaN is never the largest.
std::size_t best_of(std::span<const float> scores) {
  std::size_t best = scores.size();
  float highest = -std::numeric_limits<float>::infinity();
  for (std::size_t id = 0; id < scores.size(); ++id) {
    if (!(scores[id] > highest)) continue;
    highest = scores[id];
    best = id;
  }
  if (best == scores.size())
    throw Error(ErrorKind::kGiveUp, "the model's logits are not numbers: its weights are damaged");
  return best;
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, std::uint64_t stream)
    : options_(options), generator_(generator_of(options.seed, stream)) {
  if (const std::string problem = problem_of(options); !problem.empty()) fail_input(problem);
}

std::int64_t Sampler::choose(const at::Tensor& logits, std::span<const std::int64_t> history) {
  TORCH_CHECK(logits.scalar_type() == at::kFloat && logits.is_contiguous() && logits.size(-1) == logits.numel(),
              "a sampler takes one row of fp32 logits");
  const at::Tensor row = logits.cpu();
  const std::span<const float> given(row.data_ptr<float>(), static_cast<std::size_t>(row.numel()));
  const bool penalised = options_.repetition_penalty != 1;
  if (penalised) penalise(given, history);
  const std::span<const float> scores = penalised ? std::span<const float>(scores_) : given;
  const std::size_t best = best_of(scores);
  if (options_.temperature == 0) return static_cast<std::int64_t>(best);

  candidates_.clear();
  for (std::size_t id = 0; id < scores.size(); ++id) {
    // The best becomes 0, so that no temperature, however low, makes a number too large.
    const double score = (static_cast<double>(scores[id]) - scores[best]) / options_.temperature;
    if (score > -std::numeric_limits<double>::infinity())  // neither minus infinity nor NaN
      candidates_.push_back({static_cast<float>(score), static_cast<std::int64_t>(id)});
  }
  if (options_.top_k > 0) keep_top_k();
  if (options_.top_p < 1) keep_top_p();
  if (options_.min_p > 0) keep_min_p();
  return draw();
}

/// Computed from the logits as they came, so that a token which stands in the history twice is penalised once.
void Sampler::penalise(std::span<const float> logits, std::span<const std::int64_t> history) {
  scores_.assign(logits.begin(), logits.end());
  const auto penalty = static_cast<float>(options_.repetition_penalty);
  for (const std::int64_t id : history) {
    if (id < 0 || static_cast<std::size_t>(id) >= scores_.size()) continue;
    const float logit = logits[static_cast<std::size_t>(id)];
    scores_[static_cast<std::size_t>(id)] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

void Sampler::keep_top_k() {
  const auto k = static_cast<std::size_t>(options_.top_k);
  if (k >= candidates_.size()) return;
  ranked_.clear();
  for (const Candidate& candidate : candidates_) ranked_.push_back(candidate.score);
  const auto last = ranked_.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(ranked_.begin(), last, ranked_.end(), std::greater<>());
  std::erase_if(candidates_, [lowest = *last](const Candidate& candidate) { return candidate.score < lowest; });
}

/// Best first, from a heap: a nucleus is a handful of tokens, for which sorting a whole vocabulary would be a waste.
void Sampler::keep_top_p() {
  const auto worse = [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score < b.score : a.id > b.id;
  };
  const double enough = options_.top_p * total(candidates_);
  std::make_heap(candidates_.begin(), candidates_.end(), worse);
  auto heap_end = candidates_.end();
  for (double kept = 0; kept < enough && heap_end != candidates_.begin();) {
    kept += weight(candidates_.front());
    std::pop_heap(candidates_.begin(), heap_end--, worse);
  }
  candidates_.erase(candidates_.begin(), heap_end);  // what was popped stands behind the heap
}

void Sampler::keep_min_p() {
  std::erase_if(candidates_, [this](const Candidate& candidate) { return weight(candidate) < options_.min_p; });
}

std::int64_t Sampler::draw() {
  double left = uniform() * total(candidates_);
  for (const Candidate& candidate : candidates_) {
    left -= weight(candidate);
    if (left < 0) return candidate.id;
  }
  return candidates_.back().id;  // rounding left a crumb
}

/// In [0, 1), 53 bits.
double Sampler::uniform() { return static_cast<double>(generator_() >> 11) * 0x1.0p-53; }

}  // namespace kvmesh::llm

#include <ATen/ATen.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "llm/decode/sampler.hpp"

namespace kvmesh::test {
namespace {

using llm::Sampler;
using Ids = std::vector<std::int64_t>;

at::Tensor row(const std::vector<float>& logits) { return at::tensor(logits, at::kFloat); }

Ids draws(const SamplingOptions& options, const at::Tensor& logits, int count, std::uint64_t stream = 0) {
  Sampler sampler(options, stream);
  Ids ids;
  for (int i = 0; i < count; ++i) ids.push_back(sampler.choose(logits, {}));
  return ids;
}

std::set<std::int64_t> drawn(const SamplingOptions& options, const std::vector<float>& logits) {
  const Ids ids = draws(options, row(logits), 2000);
  return {ids.begin(), ids.end()};
}

/// The sequence transformers names, written as its definition reads: sort everything, in double precision.
std::map<std::int64_t, double> expected_probabilities(const SamplingOptions& options, std::vector<double> logits,
                                                      const Ids& history) {
  const std::set<std::int64_t> seen(history.begin(), history.end());
  for (const std::int64_t id : seen) {
    double& logit = logits[static_cast<std::size_t>(id)];
    logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
  }
  for (double& logit : logits) logit /= options.temperature;
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  const auto sum = [&] {
    double total = 0;
    for (const std::size_t id : order) total += std::exp(logits[id]);
    return total;
  };
  const double all = sum();
  std::size_t keep = 0;
  for (double before = 0; keep < order.size() && before / all < options.top_p; ++keep)
    before += std::exp(logits[order[keep]]);
  order.resize(keep);
  while (order.size() > 1 && std::exp(logits[order.back()] - logits[order.front()]) < options.min_p) order.pop_back();
  std::map<std::int64_t, double> probabilities;
  for (const std::size_t id : order) probabilities[static_cast<std::int64_t>(id)] = std::exp(logits[id]) / sum();
  return probabilities;
}

TEST_CASE("without a temperature the best token is taken, of equal ones the lower id") {
  CHECK(draws({}, row({1, 3, 2, 3}), 5) == Ids(5, 1));
  CHECK(draws({.seed = 9}, row({-5, -2}).unsqueeze(0), 1) == Ids{1});
}

TEST_CASE("draws have the probabilities that the definition gives") {
  const std::vector<double> logits{1.0, -0.5, 2.0, 0.3, 1.9, -3.0, 0.0, 1.2};
  const Ids history{2, 5, 2};
  const std::vector<SamplingOptions> cases{
      {.temperature = 1},
      {.temperature = 0.7, .repetition_penalty = 1.3},
      {.temperature = 2, .top_k = 3},
      {.temperature = 1, .top_p = 0.8},
      {.temperature = 1.5, .min_p = 0.3},
      {.temperature = 1.2, .top_k = 6, .top_p = 0.9, .min_p = 0.1, .repetition_penalty = 1.5},
  };
  const at::Tensor given = row(std::vector<float>(logits.begin(), logits.end()));
  constexpr int kDraws = 40000;
  for (const SamplingOptions& options : cases) {
    INFO("temperature " << options.temperature << ", top_k " << options.top_k << ", top_p " << options.top_p);
    Sampler sampler(options);
    std::map<std::int64_t, int> counts;
    for (int i = 0; i < kDraws; ++i) ++counts[sampler.choose(given, history)];
    const auto expected = expected_probabilities(options, logits, history);
    CHECK(counts.size() == expected.size());
    for (const auto& [id, probability] : expected)
      CHECK(counts[id] == Approx(probability * kDraws).margin(5 * std::sqrt(kDraws * probability)));
  }
}

TEST_CASE("equals of the k-th best stay, as in transformers") {
  CHECK(drawn({.temperature = 1, .top_k = 2}, {1, 0, 1, 1, 0}) == std::set<std::int64_t>{0, 2, 3});
}

TEST_CASE("the smallest nucleus is one token") {
  CHECK(drawn({.temperature = 1, .top_p = 1e-9}, {0, 0.1F, 0}) == std::set<std::int64_t>{1});
  CHECK(drawn({.temperature = 1, .min_p = 1}, {0, 0.1F, 0}) == std::set<std::int64_t>{1});
}

TEST_CASE("a penalised token can lose to the second best, and is penalised once") {
  Sampler sampler({.repetition_penalty = 2});
  CHECK(sampler.choose(row({3, 2}), Ids{}) == 0);
  CHECK(sampler.choose(row({3, 2}), Ids{0}) == 1);
  CHECK(sampler.choose(row({3, 1}), Ids{0, 0, 0}) == 0);
  CHECK(sampler.choose(row({-1, -1.5F}), Ids{0}) == 1);
  CHECK(sampler.choose(row({3, 2}), Ids{-4, 77}) == 0);  // ids that are not in the vocabulary
}

TEST_CASE("the same seed gives the same tokens, another seed or stream others") {
  const at::Tensor logits = at::zeros({1000});
  const SamplingOptions options{.temperature = 1, .seed = 5};
  const Ids first = draws(options, logits, 20);
  CHECK(draws(options, logits, 20) == first);
  CHECK(draws(options, logits, 20, /*stream=*/1) != first);
  CHECK(draws({.temperature = 1, .seed = 6}, logits, 20) != first);
  // Worked out from std::mt19937_64 over std::seed_seq{5, 0, 0, 0}, which the standard fixes: (x >> 11) * 1000 / 2^53.
  std::seed_seq seeds{5U, 0U, 0U, 0U};
  std::mt19937_64 generator(seeds);
  for (const std::int64_t id : first)
    CHECK(id == static_cast<std::int64_t>(static_cast<double>(generator() >> 11) * 1000 / 9007199254740992.0));
}

TEST_CASE("logits of minus infinity are never drawn, and a low temperature is near greedy") {
  const float never = -std::numeric_limits<float>::infinity();
  CHECK(drawn({.temperature = 1}, {0, never, 0}) == std::set<std::int64_t>{0, 2});
  CHECK(drawn({.temperature = 1e-30}, {10, 11, -300}) == std::set<std::int64_t>{1});
}

TEST_CASE("logits that are not numbers are an error, not a token") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(Sampler({}).choose(row({nan, nan}), {}), Catch::Contains("not numbers"));
  CHECK_THROWS_AS(Sampler({.temperature = 1}).choose(row({nan, nan}), {}), Error);
}

TEST_CASE("options that cannot be meant are refused by name") {
  const auto refused = [](const SamplingOptions& options, const std::string& name) {
    CHECK_THROWS_WITH(Sampler(options), Catch::Contains(name));
  };
  refused({.temperature = -1}, "temperature");
  refused({.temperature = std::nan("")}, "temperature");
  refused({.temperature = 1, .top_k = -1}, "top_k");
  refused({.temperature = 1, .top_p = 0}, "top_p");
  refused({.temperature = 1, .top_p = 1.5}, "top_p");
  refused({.temperature = 1, .min_p = 2}, "min_p");
  refused({.repetition_penalty = 0}, "repetition_penalty");
  refused({.top_p = 0.9}, "needs a temperature");
}

}  // namespace
}  // namespace kvmesh::test

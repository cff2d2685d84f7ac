// Attention out of ATen's operators, which other devices run, against our kernels: two formulations, the same numbers.

#include "llm/model/attention.hpp"

#include "tests/support/golden.hpp"

using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

constexpr std::int64_t kHeads = 4, kKvHeads = 2, kHeadDim = 16;

struct Case {
  std::int64_t shared = 0;                   ///< rows of others, in front
  std::int64_t tokens = 0;                   ///< that ask
  std::int64_t gap = 0;                      ///< positions between the two
  std::optional<std::int64_t> authors_mask;  ///< LayerCache::authors_mask_context
  AttentionRule rule{.scale = 0.3};
};

struct Result {
  at::Tensor out;
  std::vector<double> scores;
};

/// In double precision no kernel of ours runs.
Result attended(const Case& the, at::ScalarType dtype) {
  at::manual_seed(11);
  const std::int64_t rows = the.shared + the.tokens;
  std::vector<std::int64_t> positions;
  for (std::int64_t row = 0; row < rows; ++row) positions.push_back(row < the.shared ? row : row + the.gap);
  auto random = [&](std::int64_t count, std::int64_t heads) {
    return at::randn({count, heads, kHeadDim}, at::kFloat).to(dtype);
  };
  LayerCache cache(rows, kKvHeads, kHeadDim, at::TensorOptions(dtype));
  cache.append(random(rows, kKvHeads), random(rows, kKvHeads), positions);
  cache.shared_rows = the.shared;
  cache.authors_mask_context = the.authors_mask;
  const at::Tensor queries = random(the.tokens, kHeads);
  Result result{at::zeros_like(queries), {}};
  AttentionMeter meter({{1, std::max<std::int64_t>(the.shared, 2)}});
  AttentionMeter* const meters[] = {&meter};
  const Asked asked{&cache, 0, the.tokens, /*prefill=*/true};
  attend(result.out, queries, {&asked, 1}, the.rule, 0, meters);
  result.scores = meter.scores();
  return result;
}

void compare(const Case& the) {
  const Result ours = attended(the, at::kFloat), elsewhere = attended(the, at::kDouble);
  CHECK(distance(ours.out, elsewhere.out) < 1e-5);
  CHECK(ours.scores[0] == Approx(elsewhere.scores[0]).margin(1e-5));
}

}  // namespace

TEST_CASE("attention out of ATen's operators is that of the kernels: causal, behind shared rows, several blocks") {
  compare({.tokens = 9});
  compare({.shared = 5, .tokens = 1});
  compare({.shared = 70, .tokens = 600});
}

TEST_CASE("attention out of ATen's operators is that of the kernels: windows, and positions with a gap") {
  compare({.shared = 20, .tokens = 30, .rule = {.scale = 0.3, .window = 7}});
  compare({.shared = 1, .tokens = 12, .gap = 10, .rule = {.scale = 0.3, .window = 15}});
  compare({.shared = 40, .tokens = 600, .rule = {.scale = 0.3, .softcap = 2, .window = 530}});
}

TEST_CASE("attention out of ATen's operators is that of the kernels: the released code's mask, nothing left to see") {
  compare({.shared = 1, .tokens = 12, .authors_mask = 6});
  compare({.shared = 1, .tokens = 12, .authors_mask = 30, .rule = {.scale = 0.3, .window = 5}});
}

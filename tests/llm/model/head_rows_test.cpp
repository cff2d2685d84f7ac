// Attention where a layer's KV heads do not all have every row, against plain attention in double with a mask per head.

#include <cmath>
#include <limits>
#include <map>

#include "llm/model/attention.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

constexpr std::int64_t kHeads = 6, kKvHeads = 3, kGroup = 2, kHeadDim = 16;

struct Case {
  std::int64_t shared = 0, tokens = 0;
  std::map<std::int64_t, std::vector<RowRange>> hidden = {};  ///< by head
  AttentionRule rule{.scale = 0.3};
};

/// A cache, and queries of its last rows.
struct Scene {
  LayerCache cache;
  at::Tensor queries;

  Scene(const Case& the, at::ScalarType dtype, double missing)
      : cache(1, kKvHeads, kHeadDim, at::TensorOptions(dtype)) {
    at::manual_seed(11);
    const std::int64_t rows = the.shared + the.tokens;
    at::Tensor keys = at::randn({rows, kKvHeads, kHeadDim}, at::kFloat), values = at::randn_like(keys);
    queries = at::randn({the.tokens, kHeads, kHeadDim}, at::kFloat).to(dtype);
    for (const auto& [head, ranges] : the.hidden)
      for (const RowRange& range : ranges)
        for (at::Tensor* tensor : {&keys, &values})
          tensor->select(1, head).narrow(0, range.begin, range.count()).fill_(missing);
    std::vector<std::int64_t> positions;
    for (std::int64_t row = 0; row < rows; ++row) positions.push_back(row);
    cache.append(keys.to(dtype), values.to(dtype), positions);
    cache.shared_rows = the.shared;
    for (const auto& [head, ranges] : the.hidden)
      for (const RowRange& range : ranges) cache.hide(head, range);
  }

  at::Tensor attended(const Case& the) const {
    at::Tensor out = at::zeros_like(queries);
    const Asked asked{&cache, 0, the.tokens, /*prefill=*/true};
    attend(out, queries, {&asked, 1}, the.rule, 0, {});
    return out;
  }
};

bool is_hidden(const Case& the, std::int64_t head, std::int64_t row) {
  const auto found = the.hidden.find(head);
  if (found == the.hidden.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [row](const RowRange& range) { return range.begin <= row && row < range.end; });
}

/// Every head by itself, every query by itself, over the rows that it may see.
at::Tensor plain_attention(const Case& the, const Scene& scene) {
  const at::Tensor keys = scene.cache.keys().to(at::kDouble), values = scene.cache.values().to(at::kDouble);
  const at::Tensor queries = scene.queries.to(at::kDouble);
  at::Tensor out = at::zeros_like(queries);
  for (std::int64_t token = 0; token < the.tokens; ++token)
    for (std::int64_t head = 0; head < kHeads; ++head) {
      double sum = 0;
      at::Tensor mixed = at::zeros({kHeadDim}, at::kDouble);
      for (std::int64_t row = 0; row <= the.shared + token; ++row) {
        if (is_hidden(the, head / kGroup, row)) continue;
        if (the.rule.window && the.shared + token - row >= *the.rule.window) continue;
        const double score = queries[token][head].dot(keys[row][head / kGroup]).item<double>() * the.rule.scale;
        sum += std::exp(score);
        mixed += std::exp(score) * values[row][head / kGroup];
      }
      out[token][head].copy_(mixed / sum);
    }
  return out;
}

void compare(const Case& the) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Scene exact(the, at::kFloat, nan), rounded(the, at::kBFloat16, nan), elsewhere(the, at::kDouble, 0);
  const at::Tensor expected = plain_attention(the, elsewhere);
  CHECK(distance(exact.attended(the), expected) < 1e-5);
  CHECK(distance(rounded.attended(the), expected) < 0.05);
  CHECK(distance(elsewhere.attended(the), expected) < 1e-5);  // no kernel of ours runs in double
}

}  // namespace

TEST_CASE("a head's queries see no row that the head does not have, and nothing of it is read") {
  compare({.shared = 9, .tokens = 1, .hidden = {{1, {{1, 9}}}}});
  compare({.shared = 9, .tokens = 4, .hidden = {{0, {{1, 9}}}, {2, {{1, 9}}}}});
  compare({.shared = 150, .tokens = 70, .hidden = {{0, {{1, 150}}}, {1, {{70, 130}}}}});
}

TEST_CASE("heads of several senders' rows are hidden sender by sender, whatever blocks of rows they cut") {
  compare({.shared = 200, .tokens = 3, .hidden = {{0, {{1, 63}, {65, 129}}}, {2, {{64, 200}}}}});
  compare({.shared = 130, .tokens = 1, .hidden = {{0, {{0, 60}}}, {1, {{60, 130}}}, {2, {{0, 130}}}}});
}

TEST_CASE("a window and rows that a head does not have go together") {
  compare(
      {.shared = 90, .tokens = 20, .hidden = {{1, {{1, 90}}}, {2, {{1, 40}}}}, .rule = {.scale = 0.3, .window = 30}});
}

TEST_CASE("rows that are hidden one after the other are one run") {
  LayerCache cache(1, kKvHeads, kHeadDim, at::TensorOptions(at::kFloat));
  cache.extend({0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(cache.heads_alike());
  cache.hide(2, {1, 3});
  cache.hide(0, {1, 2});
  cache.hide(2, {3, 5});
  cache.hide(2, {7, 8});
  cache.hide(1, {4, 4});
  CHECK_FALSE(cache.heads_alike());
  CHECK((cache.hidden() == std::vector<RowRange>{{1, 2}, {1, 5}, {7, 8}}));
  CHECK(cache.hidden_ends() == std::vector<std::int64_t>{1, 1, 3});
  CHECK((cache.copy().hidden() == cache.hidden()));
}

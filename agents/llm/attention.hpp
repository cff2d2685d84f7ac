#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "agents/llm/kv_cache.hpp"
#include "agents/llm/visibility.hpp"

namespace kvmesh::llm {

/// Sums the attention that queries pay to row ranges of each layer, block by block: memory stays linear in tokens.
/// Formula: METHOD.md's s_l, the mean over heads and queries of the sum over the range's rows.
class AttentionMeter {
 public:
  /// `ranges[l]`: the rows that count at layer l.
  explicit AttentionMeter(std::vector<RowRange> ranges) : ranges_(std::move(ranges)), sums_(ranges_.size(), 0.0) {}

  /// `probabilities`: [any, rows] of layer `layer`, the first column being row `first_row` of its cache; `samples` is
  /// how many heads times queries that stands for.
  void add(int layer, const at::Tensor& probabilities, std::int64_t first_row, std::int64_t samples);
  /// s_l for each layer; zero where nothing was measured.
  std::vector<double> scores() const;

 private:
  std::vector<RowRange> ranges_;
  std::vector<double> sums_;
  std::vector<std::int64_t> samples_ = std::vector<std::int64_t>(sums_.size(), 0);
};

/// How a layer weighs what it sees.
struct AttentionRule {
  double scale = 1;                    ///< of query times key
  double softcap = 0;                  ///< scores s become cap * tanh(s / cap); 0: none
  std::optional<std::int64_t> window;  ///< in positions; none: all before it
};

/// Scaled dot-product attention of the last `tokens` rows of `cache` over all of its rows, grouped-query, softmax in
/// fp32. `queries`: [tokens, heads, head_dim], already rotated; the result has that shape. What a query sees is
/// Visibility's to say. Works in blocks of queries, so that memory is linear in the cache's length. Every meter is
/// given the probabilities.
at::Tensor attend(const at::Tensor& queries, const LayerCache& cache, const AttentionRule& rule, bool prefill,
                  int layer, const std::vector<AttentionMeter*>& meters);

}  // namespace kvmesh::llm

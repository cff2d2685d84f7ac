#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "agents/llm/kv_cache.hpp"

namespace kvmesh::llm {

/// Rows [begin, end) of a layer's cache.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Sums the attention that queries pay to row ranges of each layer, block by block: memory stays linear in tokens.
/// Formula: METHOD.md's s_l, the mean over heads and queries of the sum over the range's rows.
class AttentionMeter {
 public:
  /// `ranges[l]`: the rows that count at layer l.
  explicit AttentionMeter(std::vector<RowRange> ranges) : ranges_(std::move(ranges)), sums_(ranges_.size(), 0.0) {}

  /// `probabilities`: [any, rows] of layer `layer`; `samples` is how many heads times queries that stands for.
  void add(int layer, const at::Tensor& probabilities, std::int64_t samples);
  /// s_l for each layer; zero where nothing was measured.
  std::vector<double> scores() const;

 private:
  std::vector<RowRange> ranges_;
  std::vector<double> sums_;
  std::vector<std::int64_t> samples_ = std::vector<std::int64_t>(sums_.size(), 0);
};

/// Scaled dot-product attention of the last `tokens` rows of `cache` over all of its rows, grouped-query, softmax in
/// fp32. `queries`: [tokens, heads, head_dim], already rotated; the result has that shape. A query sees every shared
/// row, and of the owner's own rows those up to itself (or what LayerCache::authors_mask_context says, in prefill).
/// Works in blocks of queries, so that memory is linear in the cache's length. Every meter is given the probabilities.
at::Tensor attend(const at::Tensor& queries, const LayerCache& cache, bool prefill, int layer,
                  const std::vector<AttentionMeter*>& meters);

}  // namespace kvmesh::llm

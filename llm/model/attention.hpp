#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "llm/cache/kv_cache.hpp"
#include "llm/model/visibility.hpp"

namespace kvmesh::llm {

/// Sums the attention that queries pay to row ranges of each layer, block by block: memory stays linear in tokens.
/// Formula: s_l of docs/method.md, the mean over heads and queries of the sum over the range's rows.
class AttentionMeter {
 public:
  /// `ranges[l]`: the rows that count at layer l.
  explicit AttentionMeter(std::vector<RowRange> ranges) : ranges_(std::move(ranges)), sums_(ranges_.size(), 0.0) {}

  RowRange range(int layer) const { return ranges_.at(static_cast<std::size_t>(layer)); }
  /// `sum`: what `samples` heads times queries pay together to the rows of range(layer).
  void add(int layer, double sum, std::int64_t samples);
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

/// Queries of one sequence: rows [first, first + tokens) of what is asked, the last `tokens` rows of its cache.
struct Asked {
  const LayerCache* cache = nullptr;
  std::int64_t first = 0;
  std::int64_t tokens = 0;
  bool prefill = false;
};

/// Scaled dot-product attention of each sequence's queries over all rows of its cache, grouped-query, softmax in fp32.
/// `queries`, rotated, and `out`: [rows, heads, head_dim]. What a query sees is Visibility's to say. Works in blocks,
/// so that memory is linear in the cache's length; the cache is read where it lies. Every meter is given the
/// probabilities (of one sequence: with several there is none).
void attend(at::Tensor& out, const at::Tensor& queries, std::span<const Asked> asked, const AttentionRule& rule,
            int layer, std::span<AttentionMeter* const> meters);

}  // namespace kvmesh::llm

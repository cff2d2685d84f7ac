#include "agents/llm/attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace kvmesh::llm {
namespace {

/// Queries a block: enough for the matrix products to run at their rate, few enough that [heads, block, rows] in fp32
/// stays small beside the cache.
constexpr std::int64_t kQueryBlock = 128;

struct Block {
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

/// True where a query may not look, [count, rows]: rows beyond the last that each query sees.
at::Tensor hidden_rows(const LayerCache& cache, std::int64_t first_query_row, Block block, std::int64_t rows,
                       bool authors) {
  const at::Tensor row = at::arange(rows, at::kLong).unsqueeze(0);
  const at::Tensor query = at::arange(block.count, at::kLong).unsqueeze(1) + (first_query_row + block.begin);
  if (!authors) return row > query;
  return row > query - cache.shared_rows + *cache.authors_mask_context;
}

}  // namespace

void AttentionMeter::add(int layer, const at::Tensor& probabilities, std::int64_t samples) {
  const RowRange range = ranges_.at(static_cast<std::size_t>(layer));
  samples_[static_cast<std::size_t>(layer)] += samples;
  if (range.end <= range.begin) return;
  sums_[static_cast<std::size_t>(layer)] +=
      probabilities.narrow(-1, range.begin, range.end - range.begin).sum(at::kDouble).item<double>();
}

std::vector<double> AttentionMeter::scores() const {
  std::vector<double> scores(sums_.size(), 0.0);
  for (std::size_t l = 0; l < sums_.size(); ++l)
    if (samples_[l] > 0) scores[l] = sums_[l] / static_cast<double>(samples_[l]);
  return scores;
}

at::Tensor attend(const at::Tensor& queries, const LayerCache& cache, bool prefill, int layer,
                  const std::vector<AttentionMeter*>& meters) {
  const std::int64_t tokens = queries.size(0), heads = queries.size(1), head_dim = queries.size(2);
  const at::Tensor keys = cache.keys(), values = cache.values();
  const std::int64_t kv_heads = keys.size(1), group = heads / kv_heads;
  const std::int64_t first_query_row = cache.length() - tokens;
  const bool authors = prefill && cache.authors_mask_context.has_value();
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));

  at::Tensor out = at::empty_like(queries);
  for (std::int64_t begin = 0; begin < tokens; begin += kQueryBlock) {
    const Block block{begin, std::min(kQueryBlock, tokens - begin)};
    const std::int64_t rows = authors ? cache.length() : first_query_row + block.begin + block.count;
    const at::Tensor q = queries.narrow(0, block.begin, block.count)
                             .view({block.count, kv_heads, group, head_dim})
                             .permute({1, 2, 0, 3})
                             .reshape({kv_heads, group * block.count, head_dim});
    at::Tensor scores = at::bmm(q, keys.narrow(0, 0, rows).permute({1, 2, 0})).to(at::kFloat).mul_(scale);
    if (block.count > 1 || authors) {
      const at::Tensor hidden = hidden_rows(cache, first_query_row, block, rows, authors).to(queries.device());
      scores.view({kv_heads, group, block.count, rows})
          .masked_fill_(hidden, -std::numeric_limits<float>::infinity());
    }
    const at::Tensor probabilities = at::softmax(scores, -1);
    for (AttentionMeter* meter : meters) meter->add(layer, probabilities, heads * block.count);
    const at::Tensor mixed =
        at::bmm(probabilities.to(values.scalar_type()), values.narrow(0, 0, rows).permute({1, 0, 2}));
    out.narrow(0, block.begin, block.count)
        .view({block.count, kv_heads, group, head_dim})
        .copy_(mixed.view({kv_heads, group, block.count, head_dim}).permute({2, 0, 1, 3}));
  }
  return out;
}

}  // namespace kvmesh::llm

#include "agents/llm/attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace kvmesh::llm {
namespace {

/// Queries a block: enough for the matrix products to run at their rate, few enough that [heads, block, rows] in fp32
/// stays small beside the cache.
constexpr std::int64_t kQueryBlock = 128;

}  // namespace

void AttentionMeter::add(int layer, const at::Tensor& probabilities, std::int64_t first_row, std::int64_t samples) {
  const RowRange range = ranges_.at(static_cast<std::size_t>(layer));
  samples_[static_cast<std::size_t>(layer)] += samples;
  const std::int64_t begin = std::max(range.begin - first_row, std::int64_t{0});
  const std::int64_t end = std::min(range.end - first_row, probabilities.size(-1));
  if (end <= begin) return;
  sums_[static_cast<std::size_t>(layer)] +=
      probabilities.narrow(-1, begin, end - begin).sum(at::kDouble).item<double>();
}

std::vector<double> AttentionMeter::scores() const {
  std::vector<double> scores(sums_.size(), 0.0);
  for (std::size_t l = 0; l < sums_.size(); ++l)
    if (samples_[l] > 0) scores[l] = sums_[l] / static_cast<double>(samples_[l]);
  return scores;
}

at::Tensor attend(const at::Tensor& queries, const LayerCache& cache, const AttentionRule& rule, bool prefill,
                  int layer, const std::vector<AttentionMeter*>& meters) {
  const std::int64_t tokens = queries.size(0), heads = queries.size(1), head_dim = queries.size(2);
  const at::Tensor keys = cache.keys(), values = cache.values();
  const std::int64_t kv_heads = keys.size(1), group = heads / kv_heads;
  const Visibility visibility(cache, tokens, prefill, rule.window);

  at::Tensor out = at::empty_like(queries);
  for (std::int64_t begin = 0; begin < tokens; begin += kQueryBlock) {
    const std::int64_t count = std::min(kQueryBlock, tokens - begin);
    const RowRange rows = visibility.seen_by_block(begin, count);
    const at::Tensor q = queries.narrow(0, begin, count)
                             .view({count, kv_heads, group, head_dim})
                             .permute({1, 2, 0, 3})
                             .reshape({kv_heads, group * count, head_dim});
    at::Tensor scores =
        at::bmm(q, keys.narrow(0, rows.begin, rows.count()).permute({1, 2, 0})).to(at::kFloat).mul_(rule.scale);
    if (rule.softcap > 0) scores.div_(rule.softcap).tanh_().mul_(rule.softcap);
    visibility.mask(scores.view({kv_heads, group, count, rows.count()}), begin, rows);
    const at::Tensor probabilities = at::softmax(scores, -1);
    for (AttentionMeter* meter : meters) meter->add(layer, probabilities, rows.begin, heads * count);
    const at::Tensor mixed =
        at::bmm(probabilities.to(values.scalar_type()), values.narrow(0, rows.begin, rows.count()).permute({1, 0, 2}));
    out.narrow(0, begin, count)
        .view({count, kv_heads, group, head_dim})
        .copy_(mixed.view({kv_heads, group, count, head_dim}).permute({2, 0, 1, 3}));
  }
  return out;
}

}  // namespace kvmesh::llm

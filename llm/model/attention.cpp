#include "llm/model/attention.hpp"

#include <ATen/ATen.h>
#include <c10/util/SmallVector.h>

#include <algorithm>
#include <limits>

#include "llm/kernels/ops.hpp"

namespace kvmesh::llm {
namespace {

/// Queries a block where our kernels do not run: so many that a device computes and does not wait for its launches,
/// few enough that [heads, block, rows] in fp32 stays within a GiB for 8,192 rows and 64 heads.
constexpr std::int64_t kQueryBlock = 512;

/// Sequences and queries that are dealt with on the stack.
constexpr unsigned kFew = 16;

template <class T>
void attend_on_cpu(at::Tensor& out, const at::Tensor& queries, std::span<const Asked> asked, const AttentionRule& rule,
                   int layer, std::span<AttentionMeter* const> meters) {
  const std::int64_t heads = queries.size(1), head_dim = queries.size(2);
  std::int64_t queries_asked = 0;
  for (const Asked& part : asked) queries_asked += part.tokens;
  c10::SmallVector<kernels::Range, kFew> seen;
  seen.reserve(static_cast<std::size_t>(queries_asked));
  c10::SmallVector<kernels::Range, kFew> ranges;
  for (const AttentionMeter* meter : meters) ranges.push_back({meter->range(layer).begin, meter->range(layer).end});
  c10::SmallVector<kernels::Attention<T>, kFew> tasks;
  for (const Asked& part : asked) {
    const LayerCache& cache = *part.cache;
    const Visibility visibility(cache, part.tokens, part.prefill, rule.window);
    const std::int64_t offset = part.first * heads * head_dim;
    tasks.push_back({.queries = static_cast<const T*>(queries.data_ptr()) + offset,
                     .keys = static_cast<const T*>(cache.key_store().data_ptr()),
                     .values = static_cast<const T*>(cache.value_store().data_ptr()),
                     .output = static_cast<T*>(out.data_ptr()) + offset,
                     .tokens = part.tokens,
                     .rows = cache.length(),
                     .heads = heads,
                     .kv_heads = cache.key_store().size(1),
                     .head_dim = head_dim,
                     .scale = static_cast<float>(rule.scale),
                     .soft_cap = static_cast<float>(rule.softcap),
                     .seen = seen.end(),
                     .hidden = cache.heads_alike() ? nullptr : cache.hidden().data(),
                     .hidden_ends = cache.heads_alike() ? nullptr : cache.hidden_ends().data()});
    for (std::int64_t i = 0; i < part.tokens; ++i) {
      const RowRange rows = visibility.seen_by(i);
      seen.push_back({rows.begin, rows.end});
    }
  }
  if (meters.empty()) return kernels::attend<T>({tasks.data(), tasks.size()});

  TORCH_INTERNAL_ASSERT(tasks.size() == 1);
  const std::int64_t items = kernels::attention_items(tasks[0]), count = static_cast<std::int64_t>(ranges.size());
  std::vector<double> measured(static_cast<std::size_t>(items * count), 0.0);
  tasks[0].ranges = ranges.data();
  tasks[0].range_count = count;
  tasks[0].measured = measured.data();
  kernels::attend<T>({tasks.data(), 1});
  for (std::int64_t m = 0; m < count; ++m) {
    double sum = 0;
    for (std::int64_t item = 0; item < items; ++item) sum += measured[static_cast<std::size_t>(item * count + m)];
    meters[static_cast<std::size_t>(m)]->add(layer, sum, heads * asked[0].tokens);
  }
}

/// Takes from each head the rows that it does not have. `scores`: [kv_heads, any, any, rows.count()].
void mask_heads(const at::Tensor& scores, const LayerCache& cache, RowRange rows) {
  std::int64_t gap = 0;
  for (std::int64_t head = 0; head < scores.size(0); ++head) {
    for (; gap < cache.hidden_ends()[static_cast<std::size_t>(head)]; ++gap) {
      const RowRange hidden = cache.hidden()[static_cast<std::size_t>(gap)];
      const std::int64_t begin = std::max(hidden.begin, rows.begin), end = std::min(hidden.end, rows.end);
      if (begin < end)
        scores.select(0, head)
            .narrow(-1, begin - rows.begin, end - begin)
            .fill_(-std::numeric_limits<float>::infinity());
    }
  }
}

/// The same out of ATen's operators, for where our kernels do not run.
void attend_elsewhere(at::Tensor& out, const at::Tensor& queries, const Asked& part, const AttentionRule& rule,
                      int layer, std::span<AttentionMeter* const> meters) {
  const LayerCache& cache = *part.cache;
  const std::int64_t tokens = part.tokens, heads = queries.size(1), head_dim = queries.size(2);
  const at::Tensor keys = cache.keys(), values = cache.values();
  const std::int64_t kv_heads = keys.size(1), group = heads / kv_heads;
  const Visibility visibility(cache, tokens, part.prefill, rule.window);
  for (std::int64_t begin = 0; begin < tokens; begin += kQueryBlock) {
    const std::int64_t count = std::min(kQueryBlock, tokens - begin);
    const RowRange rows = visibility.seen_by_block(begin, count);
    const at::Tensor q = queries.narrow(0, part.first + begin, count)
                             .view({count, kv_heads, group, head_dim})
                             .permute({1, 2, 0, 3})
                             .reshape({kv_heads, group * count, head_dim});
    at::Tensor scores =
        at::bmm(q, keys.narrow(0, rows.begin, rows.count()).permute({1, 2, 0})).to(at::kFloat).mul_(rule.scale);
    if (rule.softcap > 0) scores.div_(rule.softcap).tanh_().mul_(rule.softcap);
    visibility.mask(scores.view({kv_heads, group, count, rows.count()}), begin, rows);
    if (!cache.heads_alike()) mask_heads(scores.view({kv_heads, group, count, rows.count()}), cache, rows);
    const at::Tensor probabilities = at::softmax(scores, -1);
    for (AttentionMeter* meter : meters) {
      const RowRange range = meter->range(layer);
      const std::int64_t first = std::max(range.begin - rows.begin, std::int64_t{0});
      const std::int64_t end = std::min(range.end, rows.end) - rows.begin;
      const double sum = end > first ? probabilities.narrow(-1, first, end - first).sum(at::kDouble).item<double>() : 0;
      meter->add(layer, sum, heads * count);
    }
    const at::Tensor mixed =
        at::bmm(probabilities.to(values.scalar_type()), values.narrow(0, rows.begin, rows.count()).permute({1, 0, 2}));
    out.narrow(0, part.first + begin, count)
        .view({count, kv_heads, group, head_dim})
        .copy_(mixed.view({kv_heads, group, count, head_dim}).permute({2, 0, 1, 3}));
  }
}

}  // namespace

void AttentionMeter::add(int layer, double sum, std::int64_t samples) {
  sums_.at(static_cast<std::size_t>(layer)) += sum;
  samples_[static_cast<std::size_t>(layer)] += samples;
}

std::vector<double> AttentionMeter::scores() const {
  std::vector<double> scores(sums_.size(), 0.0);
  for (std::size_t l = 0; l < sums_.size(); ++l)
    if (samples_[l] > 0) scores[l] = sums_[l] / static_cast<double>(samples_[l]);
  return scores;
}

void attend(at::Tensor& out, const at::Tensor& queries, std::span<const Asked> asked, const AttentionRule& rule,
            int layer, std::span<AttentionMeter* const> meters) {
  TORCH_INTERNAL_ASSERT(out.sizes() == queries.sizes());
  if (!kernels::ours(queries)) {
    for (const Asked& part : asked) attend_elsewhere(out, queries, part, rule, layer, meters);
  } else if (queries.scalar_type() == at::kFloat) {
    attend_on_cpu<float>(out, queries, asked, rule, layer, meters);
  } else if (queries.scalar_type() == at::kHalf) {
    attend_on_cpu<kernels::Fp16>(out, queries, asked, rule, layer, meters);
  } else {
    attend_on_cpu<kernels::Bf16>(out, queries, asked, rule, layer, meters);
  }
}

}  // namespace kvmesh::llm

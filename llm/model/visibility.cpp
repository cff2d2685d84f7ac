#include "llm/model/visibility.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace kvmesh::llm {

Visibility::Visibility(const LayerCache& cache, std::int64_t queries, bool prefill, std::optional<std::int64_t> window)
    : cache_(cache), first_query_row_(cache.length() - queries), window_(window) {
  if (prefill) authors_context_ = cache.authors_mask_context;
  if (window_) by_position_ = cache.in_order();
}

RowRange Visibility::seen_by(std::int64_t index) const {
  const std::int64_t row = first_query_row_ + index;
  RowRange seen{0, row + 1};
  std::int64_t column = row;
  if (authors_context_) {
    column = row - cache_.shared_rows + *authors_context_;
    seen.end = std::min(column + 1, cache_.length());
  }
  if (!window_) return seen;
  if (authors_context_ || !by_position_) {
    seen.begin = std::max<std::int64_t>(column - *window_ + 1, 0);
  } else {
    const std::vector<std::int64_t>& positions = cache_.positions();
    const std::int64_t oldest = positions[static_cast<std::size_t>(row)] - *window_ + 1;
    seen.begin = std::lower_bound(positions.begin(), positions.begin() + row, oldest) - positions.begin();
  }
  if (seen.begin >= seen.end) seen = {0, 0};
  return seen;
}

RowRange Visibility::seen_by_block(std::int64_t begin, std::int64_t count) const {
  RowRange rows{cache_.length(), 0};
  for (std::int64_t query = begin; query < begin + count; ++query) {
    const RowRange seen = seen_by(query);
    if (seen.count() == 0) return {0, cache_.length()};
    rows = {std::min(rows.begin, seen.begin), std::max(rows.end, seen.end)};
  }
  return rows;
}

void Visibility::mask(at::Tensor scores, std::int64_t begin, RowRange rows) const {
  const std::int64_t count = scores.size(-2);
  std::vector<std::int64_t> first, end;
  bool whole = true, blind = false;
  for (std::int64_t query = begin; query < begin + count; ++query) {
    const RowRange seen = seen_by(query);
    first.push_back(seen.begin);
    end.push_back(seen.end);
    whole = whole && seen == rows;
    blind = blind || seen.count() == 0;
  }
  if (whole) return;
  const at::TensorOptions index = scores.options().dtype(at::kLong);
  // Bounds that go up by one, as a causal mask's and a window's do, are made on the device: a copy from the host would
  // wait for all that the device was given.
  auto column = [&](const std::vector<std::int64_t>& numbers) {
    bool consecutive = true;
    for (std::size_t i = 1; i < numbers.size(); ++i) consecutive = consecutive && numbers[i] == numbers[i - 1] + 1;
    const at::Tensor made = consecutive ? at::arange(numbers.front(), numbers.front() + count, index)
                                        : at::tensor(numbers, at::kLong).to(scores.device());
    return made.unsqueeze(1);
  };
  const at::Tensor row = at::arange(rows.begin, rows.end, index).unsqueeze(0);
  at::Tensor hidden = row >= column(end);
  if (std::any_of(first.begin(), first.end(), [&](std::int64_t at) { return at > rows.begin; }))
    hidden.logical_or_(row < column(first));
  scores.masked_fill_(hidden, -std::numeric_limits<float>::infinity());
  if (blind) scores.masked_fill_(column(end) == 0, 0.0);
}

}  // namespace kvmesh::llm

#include "bench/transport/row.hpp"

#include <algorithm>

namespace kvmesh::bench {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Row compare(const RowSpec& spec, const std::function<double()>& ours, const std::function<double()>& reference) {
  std::vector<double> our_runs, reference_runs, ratios;
  for (int pair = -1; pair < kPairs; ++pair) {
    // Who goes first alternates too, so that neither always finds the caches as the other left them.
    const bool ours_first = pair % 2 == 0;
    double mine = ours_first ? ours() : 0;
    const double theirs = reference();
    if (!ours_first) mine = ours();
    if (pair < 0) continue;
    our_runs.push_back(mine);
    reference_runs.push_back(theirs);
    ratios.push_back(mine / theirs);
  }
  const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  return {.name = spec.name,
          .ours = median(our_runs),
          .reference = median(reference_runs),
          .unit = spec.unit,
          .ratio = median(ratios),
          .low = *low,
          .high = *high,
          .bar = spec.bar,
          .higher_is_better = spec.higher_is_better,
          .note = spec.note};
}

}  // namespace kvmesh::bench

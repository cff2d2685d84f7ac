#include "kvcodec/layer_score.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace kvmesh::kvcodec {
namespace {

void min_max_normalise(std::vector<double>& values) {
  if (values.empty()) return;
  const auto [low_at, high_at] = std::minmax_element(values.begin(), values.end());
  const double low = *low_at;
  const double range = *high_at - low;
  for (double& value : values) value = range > 0 ? (value - low) / range : 0.0;
}

void check_parameters(std::span<const double> importances, double alpha, double mu, double sigma) {
  for (std::size_t layer = 0; layer < importances.size(); ++layer) {
    if (!std::isfinite(importances[layer])) {
      fail_input("the calibrated importance of layer ", layer, " is ", importances[layer], ": calibrate anew");
    }
  }
  if (!(alpha >= 0 && alpha <= 1)) fail_input("alpha is ", alpha, ", but must be between 0 and 1");
  if (!(mu >= 0 && mu <= 1)) fail_input("mu is ", mu, ", but must be between 0 and 1");
  if (!(sigma > 0)) fail_input("sigma is ", sigma, ", but must be above 0 (it counts layers)");
}

}  // namespace

std::vector<double> layer_scores(std::span<const double> importances, double alpha, double mu, double sigma) {
  check_parameters(importances, alpha, mu, sigma);
  std::vector<double> scores(importances.begin(), importances.end());
  min_max_normalise(scores);

  std::vector<double> prior(scores.size());
  const double centre = mu * (static_cast<double>(prior.size()) - 1);
  for (std::size_t layer = 0; layer < prior.size(); ++layer) {
    const double distance = static_cast<double>(layer) - centre;
    prior[layer] = std::exp(-distance * distance / (2 * sigma * sigma));
  }
  min_max_normalise(prior);

  for (std::size_t layer = 0; layer < scores.size(); ++layer) {
    scores[layer] = alpha * scores[layer] + (1 - alpha) * prior[layer];
  }
  return scores;
}

std::vector<int> rank_layers(std::span<const double> scores) {
  std::vector<int> layers(scores.size());
  std::iota(layers.begin(), layers.end(), 0);
  std::stable_sort(layers.begin(), layers.end(), [&](int left, int right) {
    return scores[static_cast<std::size_t>(left)] > scores[static_cast<std::size_t>(right)];
  });
  return layers;
}

}  // namespace kvmesh::kvcodec

#include "orchestrator/loss_path.hpp"

#include <algorithm>

namespace kvmesh::orchestrator {

double loss_of(const EdgeProfile& edge, const bus::SharedLayers& set) {
  return edge.checks > 0 ? set.checked : set.loss;
}

double kept_share(const EdgeProfile& edge, const bus::SharedLayers& set) {
  const double none = loss_of(edge, edge.path.front()), gain = none - loss_of(edge, edge.path.back());
  return gain > 0 ? (none - loss_of(edge, set)) / gain : 1;
}

const bus::SharedLayers& smallest_that_keeps(const EdgeProfile& edge, double share) {
  return *std::find_if(edge.path.begin(), edge.path.end() - 1,
                       [&](const bus::SharedLayers& set) { return kept_share(edge, set) >= share; });
}

const bus::SharedLayers& knee(const EdgeProfile& edge) {
  const auto most = static_cast<double>(std::max<std::size_t>(edge.path.back().layers.size(), 1));
  const auto height = [&](const bus::SharedLayers& set) {
    return kept_share(edge, set) - static_cast<double>(set.layers.size()) / most;
  };
  return *std::max_element(edge.path.begin(), edge.path.end(),
                           [&](const auto& left, const auto& right) { return height(left) < height(right); });
}

}  // namespace kvmesh::orchestrator

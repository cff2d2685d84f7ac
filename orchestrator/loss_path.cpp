#include "orchestrator/loss_path.hpp"

#include <algorithm>

#include "base/error.hpp"

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

double bytes_of(const EdgeProfile& edge, const bus::SharedLayers& set) {
  return static_cast<double>(set.layers.size()) * edge.layer_bytes / std::max(edge.heads, 1);
}

std::string describe_set(const EdgeProfile& edge, const bus::SharedLayers& set) {
  const std::size_t all = edge.scores.size() * static_cast<std::size_t>(std::max(edge.heads, 1));
  return cat(set.layers.size(), " of ", all, edge.heads != 0 ? " heads" : " layers");
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

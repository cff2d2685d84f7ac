#include "kvcodec/layer_map.hpp"

#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"

namespace kvmesh::kvcodec {
namespace {

/// Where sender layer l falls on the receiver, x(l) = ((2l + 1) B - A) / 2A, kept as a fraction.
struct ExactLayer {
  std::int64_t numerator = 0;
  std::int64_t denominator = 1;  // above 0

  ExactLayer(std::int64_t sender_layer, std::int64_t sender_layers, std::int64_t receiver_layers)
      : numerator((2 * sender_layer + 1) * receiver_layers - sender_layers), denominator(2 * sender_layers) {}

  /// To the nearest whole number, a half to the even one. x is above -1/2, so the outcome is never below 0.
  std::int64_t rounded() const {
    const std::int64_t below = numerator >= 0 ? numerator / denominator : -1;
    const std::int64_t twice_rest = 2 * (numerator - below * denominator);
    if (twice_rest == denominator) return below + (below % 2 == 0 ? 0 : 1);
    return twice_rest > denominator ? below + 1 : below;
  }

  /// Distance to its rounded() in units of 1 / denominator, which all layers of a sender share.
  std::int64_t distance() const { return std::abs(numerator - rounded() * denominator); }
};

int nearest_served(const std::vector<std::optional<int>>& sources, int layer) {
  const int size = static_cast<int>(sources.size());
  for (int distance = 0; distance < size; ++distance) {
    for (int candidate : {layer - distance, layer + distance}) {  // the lower first: it wins a tie
      if (candidate >= 0 && candidate < size && sources[static_cast<std::size_t>(candidate)]) return candidate;
    }
  }
  throw Error(ErrorKind::kGiveUp, "a layer map serves no layer at all");
}

std::size_t checked_index(int layer, std::size_t size) {
  if (layer < 0 || static_cast<std::size_t>(layer) >= size) {
    fail_input("layer ", layer, " is not one of the receiver's ", size, " layers");
  }
  return static_cast<std::size_t>(layer);
}

}  // namespace

LayerMap::LayerMap(int sender_layers, int receiver_layers) : sender_layers_(sender_layers) {
  if (sender_layers < 1 || receiver_layers < 1) {
    fail_input("layers cannot be mapped from a sender of ", sender_layers, " to a receiver of ", receiver_layers);
  }
  sources_.resize(static_cast<std::size_t>(receiver_layers));
  for (int layer = 0; layer < sender_layers; ++layer) {
    const ExactLayer exact(layer, sender_layers, receiver_layers);
    std::optional<int>& source = sources_[static_cast<std::size_t>(exact.rounded())];
    const bool wins = !source || exact.distance() < ExactLayer(*source, sender_layers, receiver_layers).distance();
    if (wins) source = layer;  // layers come in ascending order, so the lower one keeps a tie
  }
  for (int layer = 0; layer < receiver_layers; ++layer) {
    sink_sources_.push_back(*sources_[static_cast<std::size_t>(nearest_served(sources_, layer))]);
  }
  first_layers_.push_back(0);
  const auto serves = static_cast<int>(ExactLayer(0, sender_layers, receiver_layers).rounded());
  if (serves != 0) first_layers_.push_back(serves);
}

std::optional<int> LayerMap::source(int receiver_layer) const {
  return sources_[checked_index(receiver_layer, sources_.size())];
}

int LayerMap::sink_source(int receiver_layer) const {
  return sink_sources_[checked_index(receiver_layer, sink_sources_.size())];
}

}  // namespace kvmesh::kvcodec

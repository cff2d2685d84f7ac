#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvcodec/wire/edge_spec.hpp"

namespace kvmesh::kvcodec {

/// The receiver layers that `choice` shares of a receiver with `num_layers`, sorted. Layer 0 is among them only where
/// the choice itself names it: what travels besides is not decided here.
///
/// `importances` (a number a receiver layer, as layer_scores() takes them) are read by the calibrated choices only.
/// A random choice depends on the seed and `record_index` alone, with the same outcome on every standard library.
/// Throws Error{kFixInput} with the numbers: a layer out of range, `top` above the depth, a ratio outside [0, 1], a
/// calibrated choice without a score for each layer.
std::vector<int> select_layers(const wire::LayerChoice& choice, int num_layers, std::span<const double> importances,
                               std::uint64_t record_index);

/// floor(ratio * num_layers), where a product that misses a whole number by rounding alone counts as that number:
/// 0.29 of 100 layers are 29, though 0.29 * 100 is less in binary. Throws Error{kFixInput} on a ratio outside [0, 1].
int layer_count(double ratio, int num_layers);

/// "2 of 8 + layer 0", or "2 of 8" where layer 0 is itself among the selected.
std::string describe_selection(const std::vector<int>& selected, int num_layers);

}  // namespace kvmesh::kvcodec

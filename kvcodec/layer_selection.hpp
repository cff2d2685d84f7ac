#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvcodec/wire/edge_spec.hpp"

namespace kvmesh::kvcodec {

/// What is known of an edge to those who choose among its receiver's layers. A value.
struct EdgeMeasures {
  /// By attention: a number for each receiver layer, as layer_scores() takes them; empty until somebody measured.
  std::vector<double> importances;
  /// By loss: the best layers of each size, ascending, the smallest set first (search_shares()); the same. Of single KV
  /// heads they hold layer * heads + head.
  std::vector<std::vector<int>> best_sets;
  int heads = 0;           ///< what best_sets count: 0: layers, else KV heads, of which a layer has so many
  double layer_bytes = 0;  ///< of one token at one layer, as it travels; see row_bytes()
};

/// The receiver layers that `choice` shares of a receiver with `num_layers`, sorted. Layer 0 is among them only where
/// the choice itself names it: what travels besides is not decided here. A choice by loss that asks for more layers
/// than the search had to choose from gets those.
///
/// A random choice depends on the seed and `record_index` alone, with the same outcome on every standard library.
/// Throws Error{kFixInput} with the numbers: a layer out of range, `top` above the depth, a ratio outside [0, 1], a
/// calibrated choice for which nothing was measured.
std::vector<int> select_layers(const wire::LayerChoice& choice, int num_layers, const EdgeMeasures& measured,
                               std::uint64_t record_index);

/// How many layers a choice of the best asks for: kRatio, kTop and kBytesPerToken. Throws as select_layers().
int ranked_count(const wire::LayerChoice& choice, int num_layers, double layer_bytes);

/// Bytes of one token's keys and values at one layer on an edge that says `wire`, scales and zeros included;
/// `element_bytes`: of a number as it is computed.
double row_bytes(wire::WireDtype wire, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t element_bytes);

/// floor(ratio * num_layers), where a product that misses a whole number by rounding alone counts as that number:
/// 0.29 of 100 layers are 29, though 0.29 * 100 is less in binary. Throws Error{kFixInput} on a ratio outside [0, 1].
int layer_count(double ratio, int num_layers);

/// A choice that counts single heads as one that names them, of a receiver of so many layers and KV heads a layer; any
/// other as it is. Throws as select_layers().
wire::LayerChoice with_heads_named(const wire::LayerChoice& choice, int num_layers, int num_heads,
                                   const EdgeMeasures& measured);

/// Which of the receiver's `num_heads` KV heads `choice` shares at a layer that it selects, ascending; empty: all.
/// Throws Error{kFixInput} with the numbers for a head that the receiver does not have.
std::vector<int> heads_at(const wire::LayerChoice& choice, int layer, int num_heads);

/// "18 of 90 heads": what a choice of single heads shares.
std::string describe_heads(const wire::LayerChoice& choice, int num_layers, int num_heads);

/// "2 of 8 + layer 0", or "2 of 8" where layer 0 is itself among the selected or does not travel besides.
std::string describe_selection(const std::vector<int>& selected, int num_layers, bool first_besides = true);

}  // namespace kvmesh::kvcodec

#pragma once

#include <optional>
#include <vector>

namespace kvmesh::kvcodec {

/// Which sender layer feeds which receiver layer where the two models differ in depth; the identity where they do not.
///
/// With A sender and B receiver layers, sender layer l serves receiver layer round-half-even(x(l)),
/// x(l) = (l + 0.5) B / A - 0.5. Of several on one receiver layer the one with the nearest x wins, then the lower.
/// Computed in whole numbers, so that ties are ties. A value; safe to read from any thread.
class LayerMap {
 public:
  /// Throws Error{kFixInput} unless both depths are at least 1.
  LayerMap(int sender_layers, int receiver_layers);

  int sender_layers() const { return sender_layers_; }
  int receiver_layers() const { return static_cast<int>(sources_.size()); }

  /// The sender layer that serves `receiver_layer`; none where no layer does, and only a sink is kept there.
  /// Throws Error{kFixInput} on a layer that the receiver does not have; so does sink_source().
  std::optional<int> source(int receiver_layer) const;

  /// The sender layer whose first token is the sink at `receiver_layer`: its own source, or that of the nearest served
  /// layer, the lower on a tie.
  int sink_source(int receiver_layer) const;

  /// The receiver layers that count as "layer 0", sorted: layer 0, and the one that sender layer 0 serves.
  const std::vector<int>& first_layers() const { return first_layers_; }

 private:
  int sender_layers_;
  std::vector<std::optional<int>> sources_;  // by receiver layer
  std::vector<int> sink_sources_;            // by receiver layer
  std::vector<int> first_layers_;
};

}  // namespace kvmesh::kvcodec

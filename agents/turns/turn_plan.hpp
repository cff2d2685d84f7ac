#pragma once

#include "agents/wiring.hpp"
#include "bus/control.hpp"

namespace kvmesh::agents {

/// What a turn has to do, as far as that follows from its task and its agent's edges. A value.
struct TurnPlan {
  /// Layer by layer is not enough where whole layers are measured, where a mask or positions depend on how many rows
  /// came, or where rows of others are passed on, whose number stands in the first message.
  bool needs_all_kv_first = false;
  bool generates = false;
  int max_tokens = 0;          ///< to generate, for the answer and for the edges that carry what was said
  int longest_output = 0;      ///< the same, or vectors in their place
  bool says_vectors = false;   ///< on an edge
  bool shares_output = false;  ///< rows of what was said, on a kv edge
};

TurnPlan plan_turn(const Wiring& wiring, const bus::Task& task);

}  // namespace kvmesh::agents

#pragma once

#include <chrono>

namespace kvmesh::orchestrator {

/// How long the orchestrator waits for what. Each counts from the moment at which it could have begun.
struct Deadlines {
  /// For an agent's start: from the mesh's beginning until it has joined, from then until it has said what its model
  /// is, and from its edges until it is ready: its weights are read in between. Time that it waits for others to join
  /// counts in none of the three.
  std::chrono::milliseconds start{600'000};
  /// From a record's tasks until its last result; while layers are searched, from the last sign of progress.
  std::chrono::milliseconds record{600'000};
  std::chrono::milliseconds bye{3'000};  ///< from bye until an agent has gone by itself
};

}  // namespace kvmesh::orchestrator

#pragma once

#include <chrono>

namespace kvmesh::orchestrator {

/// How long the orchestrator waits for what. Each counts from the moment at which it could have begun.
struct Deadlines {
  std::chrono::milliseconds join{120'000};    ///< from the start until every agent has joined
  std::chrono::milliseconds hello{120'000};   ///< from an agent's join until its hello
  std::chrono::milliseconds ready{120'000};   ///< from the edges until ready: weights are read in between
  std::chrono::milliseconds record{600'000};  ///< from a record's tasks until its last result
  std::chrono::milliseconds bye{3'000};       ///< from bye until an agent has gone by itself
};

}  // namespace kvmesh::orchestrator

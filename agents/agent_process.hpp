#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "bus/endpoint.hpp"

namespace kvmesh::agents {

struct AgentOptions {
  std::string name;                      ///< as the topology names it
  bus::Endpoint orchestrator;            ///< its control endpoint
  std::optional<bus::Endpoint> publish;  ///< where this agent publishes; unset: beside the orchestrator's endpoint
  /// How long the orchestrator may take to answer the join, to hand out the edges, and to say a word at all.
  std::chrono::milliseconds handshake_deadline{120'000};
};

/// Hosts one agent in this process until the orchestrator says bye: joins, loads the model that it is assigned, takes
/// its turns. The model computes on a thread of its own; heartbeats and signals are answered meanwhile. Returns after
/// bye, SIGINT or SIGTERM. Throws Error where the agent was refused or failed, or the orchestrator fell silent; the
/// orchestrator has been told where it could be.
void run_agent(const AgentOptions& options);

}  // namespace kvmesh::agents

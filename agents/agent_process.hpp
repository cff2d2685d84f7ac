#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "bus/endpoint.hpp"

namespace kvmesh::agents {

struct AgentOptions {
  std::string name;                      ///< as the topology names it
  bus::Endpoint orchestrator;            ///< its control endpoint
  std::optional<bus::Endpoint> publish;  ///< where this agent publishes; unset: beside the orchestrator's endpoint
  /// How long to wait until an orchestrator answers. What the start may take from then on, and what silence means, it
  /// says (bus::Assign, bus::Edges).
  std::chrono::milliseconds answer_deadline{600'000};
  /// The orchestrator is our parent process. A signal of the kernel tells of its end, so its silence is waited out, and
  /// it tells its user what becomes of us.
  bool child = false;
};

/// Hosts one agent in this process until the orchestrator says bye: joins, loads the model that it is assigned, takes
/// its turns. The model computes on a thread of its own; heartbeats and signals are answered meanwhile. Returns after
/// bye, SIGINT, SIGTERM, SIGQUIT and SIGHUP. Throws Error that names the agent where it was refused or failed, or the
/// orchestrator has gone; a child that has told its orchestrator returns that Error instead, for whoever exits with it
/// and says nothing.
///
/// What cannot be interrupted (a thread that reads weights, or waits for room on the bus) is not waited for: 1.5 s
/// after the end has begun the process exits, with a status as `kvmesh agent` has it, and leaves no file behind.
std::optional<Error> run_agent(const AgentOptions& options);

}  // namespace kvmesh::agents

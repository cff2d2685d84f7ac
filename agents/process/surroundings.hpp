#pragma once

#include <functional>
#include <string>

#include "bus/control.hpp"
#include "bus/node.hpp"

namespace kvmesh::agents {

/// What the parts of an agent's process need of it. For the loop's thread, but for what says otherwise.
struct Surroundings {
  std::string name;  ///< the agent's
  bus::Node& node;
  std::function<void(const bus::Control&)> send;  ///< to the orchestrator
  /// Runs it on the loop, where an exception ends the process with its text. From any thread.
  std::function<void(std::function<void()>)> post;
};

}  // namespace kvmesh::agents

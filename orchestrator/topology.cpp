#include "orchestrator/topology.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace kvmesh::orchestrator {

const AgentSpec* find_agent(const Topology& topology, const std::string& name) {
  const auto found = std::find_if(topology.agents.begin(), topology.agents.end(),
                                  [&name](const AgentSpec& agent) { return agent.name == name; });
  return found == topology.agents.end() ? nullptr : &*found;
}

const AgentSpec& get_agent(const Topology& topology, const std::string& name) {
  if (const AgentSpec* agent = find_agent(topology, name)) return *agent;
  fail_input("topology ", topology.name, " has no agent \"", name, "\"");
}

const ModelSpec& model_of(const Topology& topology, const AgentSpec& agent) {
  const auto found = topology.models.find(agent.model);
  if (found == topology.models.end()) {
    fail_input("topology ", topology.name, " has no model \"", agent.model, "\", which agent ", agent.name, " names");
  }
  return found->second;
}

std::string where(const Topology& topology, int line) {
  return topology.file.empty() ? cat("topology ", topology.name) : cat(topology.file.string(), ':', line);
}

}  // namespace kvmesh::orchestrator

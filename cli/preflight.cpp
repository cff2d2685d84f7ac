#include "cli/preflight.hpp"

#include <map>
#include <vector>

#include "agents/llm/chat_template.hpp"
#include "agents/llm/config.hpp"
#include "base/error.hpp"
#include "orchestrator/profile.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::cli {

void check_models(const orchestrator::Topology& topology) {
  std::map<std::string, wire::Manifest> manifests;
  for (const orchestrator::AgentSpec& agent : topology.agents)
    manifests[agent.name] = llm::read_manifest(orchestrator::model_of(topology, agent).path);
  std::vector<std::string> problems = orchestrator::check_ends(topology, manifests);
  for (const orchestrator::AgentSpec& agent : topology.agents) {
    const auto& folder = orchestrator::model_of(topology, agent).path;
    if (agent.chat && !llm::ChatTemplate::exists(folder))
      problems.push_back(cat(orchestrator::where(topology, agent.line), ": agent ", agent.name,
                             " gets its prompt in a chat template, and ", folder.string(),
                             " has none; write chat: false to give it the text itself"));
  }
  std::string all;
  for (const std::string& problem : problems) all += cat(all.empty() ? "" : "\n", problem);
  if (!all.empty()) throw Error(ErrorKind::kFixInput, all);
  if (topology.profile) orchestrator::check_profile(topology, orchestrator::read_profile(*topology.profile));
}

}  // namespace kvmesh::cli

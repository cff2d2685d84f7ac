#include "orchestrator/routes.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"

namespace kvmesh::orchestrator {
namespace {

bool output_travels(const Edge& edge) {
  return edge.spec.medium == wire::Medium::kText ||
         (edge.spec.medium == wire::Medium::kKv && edge.spec.share == wire::Share::kPromptAndOutput);
}

/// Depth-first search that keeps the way it came.
class CycleFinder {
 public:
  explicit CycleFinder(const Topology& topology) : topology_(topology) {}

  std::vector<std::string> find() {
    for (const AgentSpec& agent : topology_.agents) {
      if (visit(agent.name)) return way_;
    }
    return {};
  }

 private:
  /// True where a cycle was found; the way is then that cycle.
  bool visit(const std::string& agent) {
    const auto met = std::find(way_.begin(), way_.end(), agent);
    if (met != way_.end()) {
      way_.erase(way_.begin(), met);
      way_.push_back(agent);
      return true;
    }
    if (!done_.insert(agent).second) return false;
    way_.push_back(agent);
    for (const Edge* edge : outbound_edges(topology_, agent)) {
      if (visit(edge->spec.to)) return true;
    }
    way_.pop_back();
    return false;
  }

  const Topology& topology_;
  std::vector<std::string> way_;
  std::set<std::string> done_;
};

}  // namespace

std::vector<const Edge*> inbound_edges(const Topology& topology, const std::string& agent) {
  std::vector<const Edge*> edges;
  for (const Edge& edge : topology.edges) {
    if (edge.spec.to == agent) edges.push_back(&edge);
  }
  return edges;
}

std::vector<const Edge*> outbound_edges(const Topology& topology, const std::string& agent) {
  std::vector<const Edge*> edges;
  for (const Edge& edge : topology.edges) {
    if (edge.spec.from == agent) edges.push_back(&edge);
  }
  return edges;
}

std::vector<std::string> find_cycle(const Topology& topology) { return CycleFinder(topology).find(); }

std::vector<std::string> topological_order(const Topology& topology) {
  std::vector<std::string> order;
  const auto placed = [&order](const std::string& name) {
    return std::find(order.begin(), order.end(), name) != order.end();
  };
  while (order.size() < topology.agents.size()) {
    const auto next = std::find_if(topology.agents.begin(), topology.agents.end(), [&](const AgentSpec& agent) {
      const auto edges = inbound_edges(topology, agent.name);
      return !placed(agent.name) &&
             std::all_of(edges.begin(), edges.end(), [&](const Edge* edge) { return placed(edge->spec.from); });
    });
    if (next == topology.agents.end()) {
      throw Error(ErrorKind::kGiveUp, cat("topology ", topology.name, " has a cycle and so no order"));
    }
    order.push_back(next->name);
  }
  return order;
}

int computing_together(const Topology& topology, const std::set<std::string>& there, bool several_records) {
  if (several_records) return std::max(1, static_cast<int>(there.size()));
  std::map<std::string, int> depth;
  std::map<int, int> at_depth;
  for (const std::string& name : topological_order(topology)) {
    for (const Edge* edge : inbound_edges(topology, name))
      depth[name] = std::max(depth[name], depth[edge->spec.from] + 1);
    if (there.contains(name)) ++at_depth[depth[name]];
  }
  int most = 1;
  for (const auto& [level, agents] : at_depth) most = std::max(most, agents);
  return most;
}

int compute_threads(const Topology& topology, int cores, bool several_records) {
  std::set<std::string> all;
  for (const AgentSpec& agent : topology.agents) all.insert(agent.name);
  return std::max(1, cores / computing_together(topology, all, several_records));
}

bool generates(const Topology& topology, const AgentSpec& agent) {
  if (agent.generate || agent.name == topology.output) return true;
  const auto edges = outbound_edges(topology, agent.name);
  return std::any_of(edges.begin(), edges.end(), [](const Edge* edge) { return output_travels(*edge); });
}

int answer_tokens(const Topology& topology, const AgentSpec& agent) {
  if (agent.generate) return agent.generate->max_tokens;
  int most = 0;
  for (const Edge* edge : outbound_edges(topology, agent.name)) {
    if (output_travels(*edge)) most = std::max(most, edge->spec.max_tokens);
  }
  return most > 0 ? most : kDefaultMaxTokens;
}

bool carries_sink(const Topology& topology, const Edge& edge) {
  if (edge.spec.medium != wire::Medium::kKv) return false;
  for (const Edge* other : inbound_edges(topology, edge.spec.to)) {
    if (other->spec.medium == wire::Medium::kKv) return other->spec.from == edge.spec.from;
  }
  return false;
}

bool needs_scores(const Edge& edge) {
  return edge.spec.medium == wire::Medium::kKv && (edge.spec.layers.calibrated() || needs_search(edge));
}

bool needs_search(const Edge& edge) {
  const bool layers = edge.spec.layers.by_loss() && edge.spec.layers.calibrated();
  return edge.spec.medium == wire::Medium::kKv && (layers || edge.spec.wire == wire::WireDtype::kAuto);
}

}  // namespace kvmesh::orchestrator

// What is wrong between the parts of a topology.

#include <algorithm>
#include <set>
#include <tuple>

#include "base/complaints.hpp"
#include "base/error.hpp"
#include "orchestrator/prompt.hpp"
#include "orchestrator/routes.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::orchestrator {
namespace {

using wire::Medium;

bool speaks_at_marker(const Edge& edge) {
  return edge.spec.medium == Medium::kText || edge.spec.medium == Medium::kEmbedding;
}

class GraphCheck {
 public:
  GraphCheck(const Topology& topology, const UnreadParts& unread) : topology_(topology), unread_(unread) {}

  std::vector<std::string> problems() {
    check_names();
    check_edges();
    check_cycle();
    for (const AgentSpec& agent : topology_.agents) {
      check_markers(agent);
      check_reproduced(agent);
    }
    check_forwarding();
    return complaints_.texts();
  }

 private:
  template <typename... Parts>
  void add(int line, const Parts&... parts) {
    complaints_.add(where(topology_, line), ": ", parts...);
  }

  std::string agent_names() const {
    std::string names;
    for (const AgentSpec& agent : topology_.agents) names += cat(names.empty() ? "" : ", ", agent.name);
    return names;
  }

  void check_names() {
    std::string models;
    for (const auto& [name, model] : topology_.models) models += cat(models.empty() ? "" : ", ", name);
    for (const AgentSpec& agent : topology_.agents) {
      if (unread_.agents.contains(agent.name) || topology_.models.contains(agent.model)) continue;
      add(agent.line, "agent ", agent.name, " runs model \"", agent.model, "\", which is not defined; name one of ",
          models);
    }
    if (topology_.output.empty() ? topology_.file.empty() : find_agent(topology_, topology_.output) == nullptr)
      add(topology_.output_line, "output names agent \"", topology_.output, "\", which is not defined; name one of ",
          agent_names());
  }

  void check_edges() {
    std::set<std::tuple<std::string, std::string, Medium>> seen;
    for (const Edge& edge : topology_.edges) {
      const std::string name = wire::describe(edge.spec);
      for (const std::string& end : {edge.spec.from, edge.spec.to})
        if (find_agent(topology_, end) == nullptr)
          add(edge.line, "edge ", name, " names agent \"", end, "\", which is not defined; name one of ",
              agent_names());
      if (edge.spec.from == edge.spec.to)
        add(edge.line, "edge ", name, " leads from an agent to itself; give it another end");
      if (!seen.insert({edge.spec.from, edge.spec.to, edge.spec.medium}).second)
        add(edge.line, "edge ", name, " stands here a second time; keep one");
    }
  }

  void check_cycle() {
    const std::vector<std::string> cycle = find_cycle(topology_);
    if (cycle.size() <= 2) return;  // an edge to its own agent has been named
    std::string way;
    for (const std::string& agent : cycle) way += cat(way.empty() ? "" : " -> ", agent);
    const auto closing = std::find_if(topology_.edges.begin(), topology_.edges.end(), [&](const Edge& edge) {
      return edge.spec.from == cycle[cycle.size() - 2] && edge.spec.to == cycle.back();
    });
    add(closing->line, "the edges go in a circle: ", way, "; remove one of them, a record passes each agent once");
  }

  /// A prompt names exactly those who speak to it.
  void check_markers(const AgentSpec& agent) {
    if (unread_.agents.contains(agent.name)) return;
    std::vector<std::string> markers = senders_in(agent.prompt);
    std::set<std::string> speakers;
    for (const Edge* edge : inbound_edges(topology_, agent.name)) {
      if (!speaks_at_marker(*edge)) continue;
      const std::string& from = edge->spec.from;
      if (!speakers.insert(from).second)
        add(edge->line, "agent ", agent.name, " gets both text and embedding from ", from, ", and {from.", from,
            "} has room for one; keep one of the two edges");
      else if (std::find(markers.begin(), markers.end(), from) == markers.end())
        add(edge->line, "edge ", wire::describe(edge->spec), " ends in a prompt without {from.", from,
            "}; write {from.", from, "} into the prompt of ", agent.name, " where it is to be read");
    }
    for (const std::string& marker : markers)
      if (!speakers.contains(marker) && !unread_.edges)
        add(agent.line, "the prompt of agent ", agent.name, " reads {from.", marker,
            "}, and no text or embedding edge comes from \"", marker, "\"; add one or remove the marker");
  }

  void check_reproduced(const AgentSpec& agent) {
    const Edge* first = nullptr;
    for (const Edge* edge : inbound_edges(topology_, agent.name)) {
      if (edge->spec.medium != Medium::kKv) continue;
      if (first == nullptr) first = edge;
      if (edge->spec.mask != first->spec.mask || edge->spec.positions != first->spec.positions)
        add(edge->line, "edge ", wire::describe(edge->spec), " and edge ", wire::describe(first->spec), " (",
            where(topology_, first->line),
            ") reproduce different masks or positions in one receiver; give both the same");
    }
  }

  void check_forwarding() {
    for (const Edge& edge : topology_.edges) {
      if (!edge.spec.forward || unread_.edges) continue;
      const auto into_sender = inbound_edges(topology_, edge.spec.from);
      if (std::none_of(into_sender.begin(), into_sender.end(),
                       [](const Edge* one) { return one->spec.medium == Medium::kKv; }))
        add(edge.line, "edge ", wire::describe(edge.spec), " has forward: true, and ", edge.spec.from,
            " is given nothing over kv that it could pass on; remove it");
      for (const Edge* one : into_sender)
        if (one->spec.layers.by_heads())
          add(edge.line, "edge ", wire::describe(edge.spec), " has forward: true, and of what comes over edge ",
              wire::describe(one->spec), " single heads are missing; remove it, or share whole layers there");
    }
  }

  const Topology& topology_;
  const UnreadParts& unread_;
  Complaints complaints_;
};

}  // namespace

std::vector<std::string> graph_problems(const Topology& topology, const UnreadParts& unread) {
  return GraphCheck(topology, unread).problems();
}

}  // namespace kvmesh::orchestrator

#include "orchestrator/topology_check.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

#include "base/error.hpp"
#include "kvcodec/wire/edge_fit.hpp"
#include "orchestrator/prompt.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {
namespace {

using wire::Medium;

bool speaks_at_marker(const Edge& edge) {
  return edge.spec.medium == Medium::kText || edge.spec.medium == Medium::kEmbedding;
}

std::string agent_names(const Topology& topology) {
  std::string names;
  for (const AgentSpec& agent : topology.agents) names += cat(names.empty() ? "" : ", ", agent.name);
  return names;
}

void check_names(const Topology& topology) {
  for (const AgentSpec& agent : topology.agents) {
    if (!topology.models.contains(agent.model)) {
      std::string models;
      for (const auto& [name, model] : topology.models) models += cat(models.empty() ? "" : ", ", name);
      fail_input(where(topology, agent.line), ": agent ", agent.name, " runs model \"", agent.model,
                 "\", which models does not have; name one of ", models);
    }
  }
  if (find_agent(topology, topology.output) == nullptr) {
    fail_input(where(topology, topology.output_line), ": output is \"", topology.output,
               "\", which is no agent; name one of ", agent_names(topology));
  }
}

void check_edges(const Topology& topology) {
  std::set<std::tuple<std::string, std::string, Medium>> seen;
  for (const Edge& edge : topology.edges) {
    const std::string place = where(topology, edge.line);
    for (const std::string& end : {edge.spec.from, edge.spec.to}) {
      if (find_agent(topology, end) == nullptr) {
        fail_input(place, ": edge ", wire::describe(edge.spec), " has no agent \"", end,
                   "\" to hold on to; name one of ", agent_names(topology));
      }
    }
    if (edge.spec.from == edge.spec.to) {
      fail_input(place, ": edge ", wire::describe(edge.spec), " leads from an agent to itself; give it another end");
    }
    if (!seen.insert({edge.spec.from, edge.spec.to, edge.spec.medium}).second) {
      fail_input(place, ": edge ", wire::describe(edge.spec), " stands here a second time; keep one");
    }
  }
}

void check_cycle(const Topology& topology) {
  const std::vector<std::string> cycle = find_cycle(topology);
  if (cycle.empty()) return;
  std::string way;
  for (const std::string& agent : cycle) way += cat(way.empty() ? "" : " -> ", agent);
  const auto closing = std::find_if(topology.edges.begin(), topology.edges.end(), [&](const Edge& edge) {
    return edge.spec.from == cycle[cycle.size() - 2] && edge.spec.to == cycle.back();
  });
  fail_input(where(topology, closing->line), ": the edges go in a circle: ", way,
             "; remove one of them, a record passes each agent once");
}

/// A prompt names exactly those who speak to it.
void check_markers(const Topology& topology) {
  for (const AgentSpec& agent : topology.agents) {
    const std::vector<std::string> markers = senders_in(agent.prompt);
    std::set<std::string> speakers;
    for (const Edge* edge : inbound_edges(topology, agent.name)) {
      if (!speaks_at_marker(*edge)) continue;
      const std::string& from = edge->spec.from;
      if (!speakers.insert(from).second) {
        fail_input(where(topology, edge->line), ": agent ", agent.name, " gets both text and embedding from ", from,
                   ", and {from.", from, "} has room for one; keep one of the two edges");
      }
      if (std::find(markers.begin(), markers.end(), from) == markers.end()) {
        fail_input(where(topology, edge->line), ": edge ", wire::describe(edge->spec),
                   " ends in a prompt without {from.", from, "}; write {from.", from, "} into the prompt of ",
                   agent.name, " where it is to be read");
      }
    }
    for (const std::string& marker : markers) {
      if (speakers.contains(marker)) continue;
      fail_input(where(topology, agent.line), ": the prompt of agent ", agent.name, " reads {from.", marker,
                 "}, and no text or embedding edge comes from \"", marker, "\"; add one or remove the marker");
    }
  }
}

void check_kv_edges(const Topology& topology) {
  for (const AgentSpec& agent : topology.agents) {
    const Edge* first = nullptr;
    for (const Edge* edge : inbound_edges(topology, agent.name)) {
      if (edge->spec.medium != Medium::kKv) continue;
      if (first == nullptr) first = edge;
      if (edge->spec.mask != first->spec.mask || edge->spec.positions != first->spec.positions) {
        fail_input(where(topology, edge->line), ": edge ", wire::describe(edge->spec), " and edge ",
                   wire::describe(first->spec), " on line ", first->line,
                   " reproduce different masks or positions in one receiver; give both the same");
      }
    }
  }
  for (const Edge& edge : topology.edges) {
    if (!edge.spec.forward) continue;
    const auto into_sender = inbound_edges(topology, edge.spec.from);
    if (std::none_of(into_sender.begin(), into_sender.end(),
                     [](const Edge* one) { return one->spec.medium == Medium::kKv; })) {
      fail_input(where(topology, edge.line), ": edge ", wire::describe(edge.spec), " has forward: true, and ",
                 edge.spec.from, " is given nothing over kv that it could pass on; remove it");
    }
  }
}

}  // namespace

bool is_name(const std::string& text) {
  // Not of dots alone: ".." would be a folder's name.
  return text.find_first_not_of('.') != std::string::npos && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c < 0x80 && std::isalnum(c)) || c == '_' || c == '-' || c == '.';
         });
}

void check_graph(const Topology& topology) {
  check_names(topology);
  check_edges(topology);
  check_cycle(topology);
  check_markers(topology);
  check_kv_edges(topology);
}

std::vector<std::string> check_ends(const Topology& topology, const std::map<std::string, wire::Manifest>& manifests) {
  std::vector<std::string> problems;
  for (const Edge& edge : topology.edges) {
    for (const std::string& problem :
         wire::unfit_ends(edge.spec, manifests.at(edge.spec.from), manifests.at(edge.spec.to))) {
      problems.push_back(cat(where(topology, edge.line), ": edge ", wire::describe(edge.spec), ": ", problem));
    }
  }
  for (const AgentSpec& agent : topology.agents) {
    const std::int64_t limit = manifests.at(agent.name).max_position_embeddings;
    const std::int64_t tokens = generates(topology, agent) ? answer_tokens(topology, agent) : 0;
    if (tokens < limit) continue;
    problems.push_back(cat(where(topology, agent.line), ": agent ", agent.name, " may generate ", tokens,
                           " tokens, and its model has max_position_embeddings ", limit, "; ask for fewer"));
  }
  return problems;
}

}  // namespace kvmesh::orchestrator

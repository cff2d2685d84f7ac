#include "orchestrator/topology_check.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

#include "base/error.hpp"
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
        fail_input(place, ": edge ", wire::describe(edge.spec), " has no agent \"", end, "\" to hold on to; name one of ",
                   agent_names(topology));
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
        fail_input(where(topology, edge->line), ": edge ", wire::describe(edge->spec), " ends in a prompt without {from.",
                   from, "}; write {from.", from, "} into the prompt of ", agent.name, " where it is to be read");
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

/// Collects what is wrong with one edge between two models.
class EndsChecker {
 public:
  EndsChecker(const Topology& topology, const Edge& edge, const wire::Manifest& sender, const wire::Manifest& receiver,
              std::vector<std::string>& problems)
      : topology_(topology), spec_(edge.spec), line_(edge.line), sender_(sender), receiver_(receiver),
        problems_(problems) {}

  void check() {
    switch (spec_.medium) {
      case Medium::kKv: check_kv(); break;
      case Medium::kText: break;
      case Medium::kEmbedding: check_embedding(); break;
      case Medium::kActivation: check_activation(); break;
    }
  }

 private:
  template <typename... Parts>
  void add(const Parts&... parts) {
    problems_.push_back(cat(where(topology_, line_), ": edge ", wire::describe(spec_), ": ", parts...));
  }

  void check_kv() {
    for (const std::string& difference : wire::differences(sender_, receiver_)) {
      add(difference, " (", spec_.from, " against ", spec_.to, "); kv needs two models that agree on it");
    }
    if (sender_.rope_depends_on_length || receiver_.rope_depends_on_length) {
      const std::string& agent = sender_.rope_depends_on_length ? spec_.from : spec_.to;
      add("the model of ", agent, " scales its RoPE by the length of the sequence (",
          sender_.rope_depends_on_length ? sender_.rope_scaling : receiver_.rope_scaling,
          "), so keys of one length do not fit another; use a model with fixed RoPE");
    }
    const std::int64_t depth = receiver_.num_hidden_layers;
    if (spec_.layers.kind == wire::LayerChoice::Kind::kTop && spec_.layers.top > depth) {
      add("it shares the top ", spec_.layers.top, " layers, and the model of ", spec_.to, " has ", depth,
          "; choose at most ", depth);
    }
    if (spec_.layers.kind == wire::LayerChoice::Kind::kExplicit && !spec_.layers.layers.empty() &&
        spec_.layers.layers.back() >= depth) {
      refuse_layer("it shares layer", spec_.layers.layers.back(), spec_.to, depth);
    }
  }

  void check_embedding() {
    if (sender_.hidden_size == receiver_.hidden_size) return;
    add("the model of ", spec_.from, " is ", sender_.hidden_size, " wide and that of ", spec_.to, " is ",
        receiver_.hidden_size, "; embeddings need the same width");
  }

  void check_activation() {
    if (spec_.from_layer >= sender_.num_hidden_layers) {
      refuse_layer("from_layer is", spec_.from_layer, spec_.from, sender_.num_hidden_layers);
    }
    if (spec_.to_layer >= receiver_.num_hidden_layers) {
      refuse_layer("to_layer is", spec_.to_layer, spec_.to, receiver_.num_hidden_layers);
    }
  }

  void refuse_layer(const std::string& what, int layer, const std::string& agent, std::int64_t depth) {
    add(what, " ", layer, ", and the model of ", agent, " has layers 0 to ", depth - 1, "; choose among those");
  }

  const Topology& topology_;
  const wire::EdgeSpec& spec_;
  const int line_;
  const wire::Manifest& sender_;
  const wire::Manifest& receiver_;
  std::vector<std::string>& problems_;
};

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
    EndsChecker(topology, edge, manifests.at(edge.spec.from), manifests.at(edge.spec.to), problems).check();
  }
  return problems;
}

}  // namespace kvmesh::orchestrator

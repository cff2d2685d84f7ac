#include "orchestrator/routes.hpp"

#include <catch2/catch.hpp>

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using Names = std::vector<std::string>;

namespace {

Names senders(const std::vector<const Edge*>& edges) {
  Names names;
  for (const Edge* edge : edges) names.push_back(edge->spec.from);
  return names;
}

}  // namespace

TEST_CASE("an agent's inbound edges come in declared order") {
  const Topology topology = Folder().parse(graph(edge("c", "d") + edge("a", "b") + edge("a", "d") + edge("b", "d")));
  CHECK(senders(inbound_edges(topology, "d")) == Names{"c", "a", "b"});
  CHECK(outbound_edges(topology, "a").size() == 2);
  CHECK(outbound_edges(topology, "d").empty());
}

TEST_CASE("each agent comes after all that it hears, and otherwise as declared") {
  const Topology topology = Folder().parse(graph(edge("d", "a") + edge("c", "b")));
  CHECK(topological_order(topology) == Names{"c", "b", "d", "a"});
}

TEST_CASE("a cycle is found along its way, and none where there is none") {
  Topology topology = Folder().parse(graph(edge("a", "b") + edge("a", "c") + edge("b", "d") + edge("c", "d")));
  CHECK(find_cycle(topology).empty());
  topology.edges.push_back({.spec = {.from = "d", .to = "b"}});
  CHECK(find_cycle(topology) == Names{"b", "d", "b"});
  CHECK_THROWS_AS(topological_order(topology), Error);
}

TEST_CASE(
    "with one record under way, agents that begin together share the cores, and none with one that it waits for") {
  CHECK(compute_threads(Folder().parse(graph(edge("a", "b") + edge("b", "c") + edge("c", "d"))), 8, false) == 8);
  CHECK(compute_threads(Folder().parse(graph(edge("a", "d") + edge("b", "d") + edge("c", "d"))), 8, false) == 2);
  CHECK(compute_threads(Folder().parse(graph(edge("a", "b") + edge("a", "c") + edge("a", "d"))), 8, false) == 2);
  CHECK(compute_threads(Folder().parse(graph(edge("a", "c") + edge("b", "d"))), 8, false) == 4);
  CHECK(compute_threads(Folder().parse(graph(edge("a", "c") + edge("b", "d"))), 1, false) == 1);
}

TEST_CASE("with several records under way all agents share the cores") {
  CHECK(compute_threads(Folder().parse(graph(edge("a", "b") + edge("b", "c") + edge("c", "d"))), 8, true) == 2);
  CHECK(compute_threads(Folder().parse(graph(edge("a", "c") + edge("b", "d"))), 1, true) == 1);
}

TEST_CASE("the output, a generate block and an output that travels make an agent generate") {
  Topology topology =
      Folder().parse(graph(edge("a", "d") + edge("b", "d", "medium: kv, share: prompt+output, max_tokens: 9")));
  CHECK_FALSE(generates(topology, get_agent(topology, "a")));
  CHECK(generates(topology, get_agent(topology, "b")));
  CHECK(generates(topology, get_agent(topology, "d")));
  topology.agents[0].generate = GenerateSpec{.max_tokens = 5};
  CHECK(generates(topology, topology.agents[0]));
  CHECK(answer_tokens(topology, topology.agents[0]) == 5);
  CHECK(answer_tokens(topology, get_agent(topology, "b")) == 9);
  CHECK(answer_tokens(topology, get_agent(topology, "d")) == kDefaultMaxTokens);
}

TEST_CASE("a text edge makes its sender generate") {
  const Topology topology = Folder().parse(pair("medium: text", "{from.reader}"));
  CHECK(generates(topology, get_agent(topology, "reader")));
}

TEST_CASE("the sink comes from a receiver's first kv sender") {
  const Topology topology = Folder().parse(graph(edge("c", "d", "medium: activation, from_layer: 0, to_layer: 0") +
                                                 edge("b", "d") + edge("a", "d") + edge("a", "c")));
  CHECK_FALSE(carries_sink(topology, topology.edges[0]));
  CHECK(carries_sink(topology, topology.edges[1]));
  CHECK_FALSE(carries_sink(topology, topology.edges[2]));
  CHECK(carries_sink(topology, topology.edges[3]));
}

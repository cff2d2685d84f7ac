#include "orchestrator/picture.hpp"

#include <catch2/catch.hpp>

#include "topology_fixture.hpp"

using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;

TEST_CASE("a chain is drawn on one line, as far as that is wide") {
  const Topology topology = Folder().parse(graph(edge("a", "b", "medium: kv, layers: [0, 4-6]") +
                                                 edge("b", "c", "medium: kv, layers: all, forward: true") +
                                                 edge("c", "d", "medium: kv, share: prompt+output")));
  CHECK(picture(topology) ==
        "mesh: 4 agents, 3 edges, output d\n\n"
        "  [a: tiny] --kv, layers 0,4-6--> [b: tiny] --kv, all layers, forward--> [c: tiny]\n"
        "  [c: tiny] --kv, ratio 0.3, share prompt+output, up to 128 tokens--> [d: tiny] => output\n");
}

TEST_CASE("an agent without edges stands alone") {
  const Topology topology = Folder().parse(graph(edge("b", "c") + edge("c", "d")));
  CHECK(picture(topology) ==
        "mesh: 4 agents, 2 edges, output d\n\n"
        "  [a: tiny]\n"
        "  [b: tiny] --kv, ratio 0.3--> [c: tiny] --kv, ratio 0.3--> [d: tiny] => output\n");
}

TEST_CASE("a fan-in meets at its receiver") {
  const Topology topology =
      Folder().parse(graph(edge("a", "d") + edge("b", "d", "medium: activation, from_layer: 5, to_layer: 3") +
                           edge("c", "d", "medium: kv, layers: {top: 2, by: attention}")));
  CHECK(picture(topology) ==
        "mesh: 4 agents, 3 edges, output d\n\n"
        "  [a: tiny] --kv, ratio 0.3-------------------------+\n"
        "  [b: tiny] --activation, from layer 5, to layer 3--+\n"
        "  [c: tiny] --kv, top 2 by attention----------------+--> [d: tiny] => output\n");
}

TEST_CASE("a fan-out is a line for each receiver, and a chain goes on from its last") {
  const Topology topology =
      Folder().parse(graph(edge("a", "b", "medium: kv, layers: {random: 0.5, seed: 2}") +
                           edge("a", "c", "medium: kv, layers: {contiguous: 0.5}") + edge("c", "d")));
  CHECK(picture(topology) ==
        "mesh: 4 agents, 3 edges, output d\n\n"
        "  [a: tiny] --kv, random 0.5 seed 2--> [b: tiny]\n"
        "  [a: tiny] --kv, contiguous 0.5--> [c: tiny] --kv, ratio 0.3--> [d: tiny] => output\n");
}

TEST_CASE("one agent and one edge are one, and an arrow shows every option that is not as it would be unsaid") {
  const Topology topology = Folder().parse(
      pair("medium: kv, layers: all, wire: int4, transport: zmq, reproduce: {mask: authors, positions: overlap}"));
  CHECK(
      picture(topology) ==
      "mesh: 2 agents, 1 edge, output solver\n\n"
      "  [reader: tiny] --kv, all layers, mask authors, positions overlap, wire int4, transport zmq--> [solver: tiny] "
      "=> output\n");
}

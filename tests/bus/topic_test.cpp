#include "bus/topic.hpp"

#include <catch2/catch.hpp>

TEST_CASE("an edge's topic names mesh, ends and medium and closes with a semicolon") {
  CHECK(kvmesh::bus::edge_topic("quickstart", "reader", "solver", "kv") == "quickstart/reader/solver/kv;");
}

TEST_CASE("no edge's topic is the beginning of another's") {
  const auto kv = kvmesh::bus::edge_topic("m", "a", "b", "kv");
  CHECK_FALSE(kvmesh::bus::edge_topic("m", "a", "b", "kv2").starts_with(kv));
}

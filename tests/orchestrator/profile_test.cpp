#include "orchestrator/profile.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "orchestrator/loss_path.hpp"

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using Catch::Matchers::Contains;

namespace {

Profile measured() {
  return {{{.from = "reader",
            .to = "solver",
            .sender = "aaaa",
            .receiver = "bbbb",
            .samples = 3,
            .alpha = 0.8,
            .mu = 0.25,
            .sigma = 4,
            .scores = {0.5, 0.125, 0.000001},
            .ranking = {0, 1, 2}}}};
}

const Fingerprints kModels{{"reader", "aaaa"}, {"solver", "bbbb"}};

}  // namespace

TEST_CASE("a profile that is written is read as it was, and is written the same again") {
  const Folder folder;
  const auto file = folder.write("profile.json", to_json(measured()));
  CHECK(read_profile(file) == measured());
  CHECK(to_json(read_profile(file)) == to_json(measured()));
}

TEST_CASE("a profile holds a search by loss, for every ratio, and gives it to the edges that choose so") {
  const Folder folder;
  Profile both = measured();
  both.edges[0].path = {{{}, 9.5, 8}, {{2}, 2.25, 3}, {{0, 2}, 2, 2.5}, {{0, 1, 2}, 1.75, 2.5}};
  both.edges[0].by_attention = {{{0}, 9, 7}, {{0, 1}, 8, 7}};
  both.edges[0].checks = 1;
  both.edges[0].layer_bytes = 256;
  CHECK(read_profile(folder.write("profile.json", to_json(both))) == both);
  const auto scores = scores_for(folder.parse(pair("medium: kv, layers: {ratio: 0.5}")), both, kModels);
  REQUIRE(scores.size() == 1);
  CHECK(scores[0].path == both.edges[0].path);
  CHECK(scores[0].checks == 1);
}

TEST_CASE("a profile that was measured by attention alone serves no edge that chooses by loss") {
  const Folder folder;
  const Topology topology = folder.parse(pair("medium: kv, layers: {top: 1}") + "profile: profile.json\n");
  CHECK_THROWS_WITH(check_profile(topology, measured()), Contains("profile.json") && Contains("attention alone") &&
                                                             Contains("mesh.yaml:9") && Contains("kvmesh calibrate"));
}

TEST_CASE("a path whose sets do not grow is refused with its place") {
  const Folder folder;
  Profile broken = measured();
  broken.edges[0].path = {{{}, 9}, {{2}, 2}, {{1}, 1}};
  const auto file = folder.write("profile.json", to_json(broken));
  CHECK_THROWS_WITH(read_profile(file), Contains("profile.json: edge 1") && Contains("\"path\""));
}

TEST_CASE("a path says what a set keeps, which is the smallest that keeps enough, and where its knee is") {
  EdgeProfile edge = measured().edges[0];
  edge.path = {{{}, 10}, {{3}, 4}, {{1, 3}, 2.4}, {{0, 1, 3}, 2.2}, {{0, 1, 2, 3}, 2}};
  CHECK(kept_share(edge, edge.path[1]) == Approx(0.75));
  CHECK(smallest_that_keeps(edge, 0.95).layers == std::vector<int>{1, 3});
  CHECK(smallest_that_keeps(edge, 0.999).layers.size() == 4);
  CHECK(knee(edge).layers == std::vector<int>{3});
  edge.checks = 1;  // the records that check are believed
  for (bus::SharedLayers& set : edge.path) set.checked = set.layers.size() < 3 ? 8 : 2;
  CHECK(smallest_that_keeps(edge, 0.95).layers == std::vector<int>{0, 1, 3});
  for (bus::SharedLayers& set : edge.path) set.checked = 1;
  CHECK(kept_share(edge, edge.path[0]) == 1);
}

TEST_CASE("scores are rounded to what a profile holds, so that both select the same layers") {
  CHECK(rounded_scores({0.12345649, 1.0 / 3}) == std::vector<double>{0.123456, 0.333333});
}

TEST_CASE("a profile gives scores to the edges that select by them, and to no other") {
  const Folder folder;
  const auto scores =
      scores_for(folder.parse(pair("medium: kv, layers: {top: 1, by: attention}")), measured(), kModels);
  REQUIRE(scores.size() == 1);
  CHECK(scores[0].from == "reader");
  CHECK(scores[0].scores == measured().edges[0].scores);
  CHECK(scores_for(folder.parse(pair("medium: kv, layers: all")), measured(), kModels).empty());
}

TEST_CASE("a profile of other weights is refused with both fingerprints, one without the edge with its line") {
  const Folder folder;
  const Topology topology =
      folder.parse(pair("medium: kv, layers: {top: 1, by: attention}") + "profile: profile.json\n");
  CHECK_THROWS_WITH(scores_for(topology, measured(), {{"reader", "aaaa"}, {"solver", "cccc"}}),
                    Contains("profile.json") && Contains("solver") && Contains("bbbb") && Contains("cccc"));
  CHECK_THROWS_WITH(check_profile(topology, {}),
                    Contains("mesh.yaml:9") && Contains("reader -> solver (kv)") && Contains("kvmesh calibrate"));
}

TEST_CASE("what is no profile is refused by the file's name") {
  const Folder folder;
  CHECK_THROWS_WITH(read_profile(folder.file("gone.json")), Contains("gone.json") && Contains("not there"));
  CHECK_THROWS_WITH(read_profile(folder.write("a.json", "[1")), Contains("a.json:1:3: not JSON"));
  CHECK_THROWS_WITH(read_profile(folder.write("b.json", "{}")), Contains("b.json") && Contains("kvmesh_profile"));
  CHECK_THROWS_WITH(read_profile(folder.write("c.json", "{\"kvmesh_profile\": 2, \"edges\": []}")),
                    Contains("version 2") && Contains("reads version 1"));
}

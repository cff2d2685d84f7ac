#include "orchestrator/running_record.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using Catch::Matchers::Contains;

namespace {

RecordOutcome measured(const std::string& id, std::vector<double> scores) {
  RecordOutcome outcome;
  outcome.id = id;
  outcome.scores = {{"reader", "solver", std::move(scores)}};
  return outcome;
}

}  // namespace

TEST_CASE("a record is complete when every agent has answered, and once each") {
  const Topology topology = Folder().parse(pair());
  RunningRecord record({.id = "q1", .request = "r1", .tasks = {}}, topology, Deadline::after(std::chrono::seconds(1)));
  record.on_result("reader",
                   {.request = "r1", .answer = {}, .edges = {{"reader", "solver", "kv", "2 of 8 + layer 0", 77}}});
  CHECK(record.waiting() == std::set<std::string>{"solver"});
  record.on_result("reader", {.request = "r1", .answer = "again"});
  record.on_result("solver", {.request = "r1",
                              .answer = "Paris",
                              .edges = {},
                              .scores = {},
                              .ttft_ms = 12,
                              .receiver_ttft_ms = 3,
                              .target_nats = 0.5});
  CHECK(record.complete());
  const RecordOutcome outcome = record.outcome();
  CHECK(outcome.output == "Paris");
  CHECK(outcome.answers == std::map<std::string, std::string>{{"solver", "Paris"}});
  REQUIRE(outcome.edges.size() == 1);
  CHECK(outcome.edges[0].bytes == 77);
  CHECK((outcome.ttft_ms == 12 && outcome.receiver_ttft_ms == 3));
  CHECK(outcome.target_nats == 0.5);
  CHECK_FALSE(outcome.error);
}

TEST_CASE("raw scores are averaged over records") {
  const Topology topology = Folder().parse(pair());
  ScoreAverage average;
  average.add(topology, measured("q1", {1, 2}));
  average.add(topology, measured("q2", {3, 6}));
  REQUIRE(average.mean().size() == 1);
  CHECK(average.mean()[0].scores == std::vector<double>{2, 4});
}

TEST_CASE("scores that are missing, of another length or no numbers are refused with edge and record") {
  const Topology topology = Folder().parse(pair());
  ScoreAverage average;
  average.add(topology, measured("q1", {1, 2}));
  CHECK_THROWS_WITH(average.add(topology, measured("q2", {1})), Contains("reader -> solver") && Contains("q2"));
  CHECK_THROWS_AS(average.add(topology, measured("q2", {})), Error);
  CHECK_THROWS_AS(average.add(topology, measured("q2", {1, std::numeric_limits<double>::quiet_NaN()})), Error);
  CHECK_THROWS_AS(average.add(topology, RecordOutcome{}), Error);
}

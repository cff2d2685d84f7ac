#include "agents/turns/turn_plan.hpp"

#include <catch2/catch.hpp>

using namespace kvmesh;
using namespace kvmesh::agents;

namespace {

wire::EdgeSpec edge(wire::Medium medium, int max_tokens = 0) {
  wire::EdgeSpec spec;
  spec.medium = medium;
  spec.max_tokens = max_tokens;
  return spec;
}

/// The plan of an agent with these edges, which is asked for an answer of `answer` tokens; 0: for none.
TurnPlan plan(const std::vector<wire::EdgeSpec>& in, const std::vector<wire::EdgeSpec>& out, int answer = 0) {
  Wiring wiring;
  for (const wire::EdgeSpec& spec : in) wiring.inbound.push_back({spec, {}});
  for (const wire::EdgeSpec& spec : out) wiring.outbound.push_back({spec, {}, true, {}});
  bus::Task task;
  task.generate = answer > 0;
  task.max_tokens = answer;
  return plan_turn(wiring, task);
}

}  // namespace

TEST_CASE("a turn that only shares its prompt generates nothing") {
  const TurnPlan plan_of_reader = plan({}, {edge(wire::Medium::kKv, 50), edge(wire::Medium::kActivation, 50)});
  CHECK_FALSE(plan_of_reader.generates);
  CHECK(plan_of_reader.longest_output == 0);
}

TEST_CASE("a turn generates as much as its answer or the edge that carries most of it needs") {
  wire::EdgeSpec output = edge(wire::Medium::kKv, 30);
  output.share = wire::Share::kPromptAndOutput;
  CHECK(plan({}, {}, 16).max_tokens == 16);
  CHECK(plan({}, {edge(wire::Medium::kText, 20)}, 16).max_tokens == 20);
  CHECK(plan({}, {edge(wire::Medium::kText, 20), output}).max_tokens == 30);
  CHECK(plan({}, {output}).shares_output);
  CHECK(plan({}, {edge(wire::Medium::kText, 20)}).generates);
}

TEST_CASE("vectors need room, and are not generated as tokens") {
  const TurnPlan vectors = plan({}, {edge(wire::Medium::kEmbedding, 40)});
  CHECK((vectors.says_vectors && !vectors.generates));
  CHECK((vectors.max_tokens == 0 && vectors.longest_output == 40));
}

TEST_CASE("rows are awaited layer by layer, but for measuring, reproducing and forwarding") {
  const wire::EdgeSpec kv = edge(wire::Medium::kKv);
  wire::EdgeSpec masked = kv, overlapping = kv, forwarding = kv;
  masked.mask = wire::Mask::kAuthors;
  overlapping.positions = wire::Positions::kOverlap;
  forwarding.forward = true;
  CHECK_FALSE(plan({kv}, {kv}).needs_all_kv_first);
  CHECK(plan({kv, masked}, {}).needs_all_kv_first);
  CHECK(plan({overlapping}, {}).needs_all_kv_first);
  CHECK(plan({kv}, {forwarding}).needs_all_kv_first);
  bus::Task task;
  task.calibrate = true;
  CHECK(plan_turn({}, task).needs_all_kv_first);
}

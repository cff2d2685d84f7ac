#include "agents/agent.hpp"

#include <ATen/ATen.h>

#include "base/error.hpp"
#include "kvcodec/encode.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace std::chrono_literals;

namespace {

const Agent::Clock::time_point kStart{};

const llm::Model& tiny() {
  static const llm::Model model = llm::Model::load(test::tiny_model(), {.dtype = "fp32"});
  return model;
}

wire::Manifest a_manifest() { return llm::manifest_of(tiny().config()); }

Wiring wiring_of(const std::vector<std::string>& senders, wire::Medium medium) {
  Wiring wiring{.mesh = "test", .inbound = {}, .outbound = {}};
  for (const std::string& from : senders) {
    wire::EdgeSpec spec;
    spec.from = from;
    spec.to = "solver";
    spec.medium = medium;
    wiring.inbound.push_back({spec, a_manifest()});
  }
  wire::EdgeSpec out;
  out.from = "solver";
  out.to = "judge";
  wiring.outbound.push_back({out, a_manifest(), true, {}});
  return wiring;
}

/// An agent called solver that hears `senders` over edges of one medium, and the verbs of its life.
class Fixture {
 public:
  explicit Fixture(const std::vector<std::string>& senders, wire::Medium medium = wire::Medium::kText)
      : agent(wiring_of(senders, medium), {.model = &tiny(), .room = nullptr, .borrows = {}}) {}

  Agent::Outcome task(const std::string& request, std::int64_t deadline_ms = 0) {
    bus::Task task;
    task.request = request;
    task.deadline_ms = deadline_ms;
    return agent.on_task(task, kStart);
  }

  std::vector<OwnedBytes> message(std::size_t edge, const std::string& request, std::uint32_t sequence = 0,
                                  std::uint32_t count = 1) const {
    const wire::EdgeSpec& spec = agent.wiring().inbound.at(edge).spec;
    wire::Envelope envelope;
    envelope.kind = wire::Medium::kText;
    envelope.mesh = "test";
    envelope.from = spec.from;
    envelope.to = spec.to;
    envelope.request = request;
    envelope.sequence = sequence;
    envelope.count = count;
    envelope.manifest = a_manifest().hash();
    return kvcodec::encode_text("said by " + spec.from, envelope);
  }

  /// A row of layer `sequence` comes over kv edge `edge`.
  Agent::Outcome send_rows(std::size_t edge, const std::string& request, std::uint32_t sequence, std::uint32_t count) {
    return agent.on_message(edge, rows(edge, request, sequence, count), kStart + 5ms);
  }
  std::vector<OwnedBytes> rows(std::size_t edge, const std::string& request, std::uint32_t sequence,
                               std::uint32_t count) const {
    const wire::EdgeSpec& spec = agent.wiring().inbound.at(edge).spec;
    wire::Envelope envelope;
    envelope.mesh = "test";
    envelope.from = spec.from;
    envelope.to = spec.to;
    envelope.request = request;
    envelope.sequence = sequence;
    envelope.count = count;
    envelope.manifest = a_manifest().hash();
    envelope.layer = static_cast<std::int32_t>(sequence);
    envelope.context_end = 1;
    envelope.layers_complete = envelope.layer + 1;
    const at::Tensor row = at::ones({1, tiny().config().num_key_value_heads, tiny().config().head_dim});
    return kvcodec::encode_layer({row, row, {{.first = 0, .count = 1}}}, envelope);
  }

  Agent::Outcome send(std::size_t edge, const std::string& request, std::uint32_t sequence = 0,
                      std::uint32_t count = 1) {
    return agent.on_message(edge, message(edge, request, sequence, count), kStart + 5ms);
  }

  Agent agent;
};

}  // namespace

TEST_CASE("an agent that hears nobody begins its turn with the task") {
  Fixture fixture({});
  const auto outcome = fixture.task("r1");
  REQUIRE(outcome.turn.has_value());
  CHECK(outcome.turn->task.request == "r1");
}

TEST_CASE("a turn begins when the last inbound edge is complete, and knows when that was") {
  Fixture fixture({"reader", "drafter"});
  CHECK_FALSE(fixture.task("r1").turn.has_value());
  CHECK_FALSE(fixture.send(1, "r1").turn.has_value());
  const auto outcome = fixture.send(0, "r1");
  REQUIRE(outcome.turn.has_value());
  CHECK(outcome.turn->complete_at - outcome.turn->received_at == 5ms);
  CHECK(outcome.turn->inbox.at(0).front().envelope.from == "reader");
  CHECK(outcome.turn->inbox.at(1).front().envelope.from == "drafter");
}

TEST_CASE("messages that come before their task are kept for it") {
  Fixture fixture({"reader"});
  CHECK_FALSE(fixture.send(0, "r1").turn.has_value());
  CHECK(fixture.task("r1").turn.has_value());
}

TEST_CASE("messages of more requests than the bound before any task are refused, naming the edge") {
  Fixture fixture({"reader"});
  for (std::size_t i = 0; i < Agent::kMaxEarlyRequests; ++i) fixture.send(0, "r" + std::to_string(i));
  const auto outcome = fixture.send(0, "one-more");
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "one-more");
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("reader -> solver"));
}

TEST_CASE("a gap in the sequence fails the request that waits on the edge, naming the edge") {
  Fixture fixture({"reader"});
  fixture.task("r1");
  fixture.send(0, "r1", 0, 3);
  const auto outcome = fixture.send(0, "r1", 2, 3);
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r1");
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("reader") && Catch::Contains("solver"));
}

TEST_CASE("a corrupted payload fails the request that waits on the edge") {
  Fixture fixture({"reader"});
  fixture.task("r1");
  auto frames = fixture.message(0, "r1");
  frames.back() = OwnedBytes::from_string("said by readeR");
  const auto outcome = fixture.agent.on_message(0, frames, kStart);
  REQUIRE(outcome.failures.size() == 1);
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("checksum"));
}

TEST_CASE("of several requests a corrupted payload fails the one that its message names") {
  Fixture fixture({"reader"});
  fixture.task("r1");
  fixture.task("r2");
  auto frames = fixture.message(0, "r2");
  frames.back() = OwnedBytes::from_string("said by readeR");
  const auto outcome = fixture.agent.on_message(0, frames, kStart);
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r2");
  CHECK(fixture.send(0, "r1").turn.has_value());
}

TEST_CASE("a message that cannot be read fails every request that waits on its edge: one of them it was for") {
  Fixture fixture({"reader"});
  fixture.task("r0");
  REQUIRE(fixture.send(0, "r0").turn.has_value());
  fixture.task("r1");
  fixture.task("r2");
  const auto outcome = fixture.agent.on_message(0, {OwnedBytes::from_string("no envelope")}, kStart);
  REQUIRE(outcome.failures.size() == 2);
  CHECK(outcome.failures[0].request == "r1");
  CHECK(outcome.failures[1].request == "r2");
}

TEST_CASE("a connection that was made anew fails the requests that wait on its edge at once, and no others") {
  Fixture fixture({"reader", "drafter"});
  fixture.task("r1");
  fixture.task("r2");
  fixture.send(0, "r1");
  CHECK(fixture.agent.on_renewed(0).failures.size() == 1);  // r2's message may have been on its way
  const auto outcome = fixture.agent.on_renewed(1);
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r1");
  CHECK(outcome.failures[0].kind == ErrorKind::kRetry);
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("edge drafter -> solver (text), request \"r1\"") &&
                                             Catch::Contains("its connection broke after 0 messages"));
  CHECK(fixture.agent.on_renewed(1).failures.empty());
}

TEST_CASE("a connection that breaks within a request before its task has come fails it too") {
  Fixture fixture({"reader"});
  fixture.send(0, "r1", 0, 2);
  const auto outcome = fixture.agent.on_renewed(0);
  REQUIRE(outcome.failures.size() == 1);
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("its connection broke after 1 message and"));
}

TEST_CASE("a bad message that comes before its task fails its request alone, whatever is wrong with it") {
  const Fixture fixture({"reader"});
  auto damaged = fixture.message(0, "early");
  damaged.back() = OwnedBytes::from_string("said by readeR");
  auto short_one = fixture.message(0, "early");
  short_one.back() = OwnedBytes::from_string("said");
  for (const auto& frames : {damaged, short_one, fixture.message(0, "early", /*sequence=*/1, /*count=*/2)}) {
    Fixture other({"reader"});
    other.task("r1");
    const auto outcome = other.agent.on_message(0, frames, kStart);
    REQUIRE(outcome.failures.size() == 1);
    CHECK(outcome.failures[0].request == "early");
    CHECK_THAT(outcome.failures[0].reason, Catch::Contains("reader") && Catch::Contains("solver"));
    CHECK_FALSE(other.task("early").turn.has_value());  // it has failed
    CHECK(other.send(0, "r1").turn.has_value());
  }
}

TEST_CASE(
    "a message that cannot be read while nobody waits fails the next request that nothing has come for, no other") {
  Fixture fixture({"reader", "drafter"});
  const auto nobody = fixture.agent.on_message(1, {OwnedBytes::from_string("no envelope")}, kStart);
  CHECK(nobody.failures.empty());
  const auto outcome = fixture.task("r1");
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r1");
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("drafter -> solver"));
  CHECK(fixture.task("r2").failures.empty());
  fixture.send(0, "r2");
  CHECK(fixture.send(1, "r2").turn.has_value());
}

TEST_CASE("what came before the turn and waits for it stays within the budget") {
  Agent agent(wiring_of({"reader", "drafter"}, wire::Medium::kText),
              {.model = nullptr, .room = nullptr, .borrows = {}, .keep_bytes = 0, .waiting_bytes = 20});
  const Fixture like({"reader", "drafter"});
  CHECK(agent.on_message(0, like.message(0, "r1"), kStart).failures.empty());  // 14 bytes
  const auto outcome = agent.on_message(0, like.message(0, "r2"), kStart);
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r2");
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("reader -> solver") && Catch::Contains("14 of the 20 bytes"));
}

TEST_CASE("a cancelled request is forgotten, and what still arrives for it is dropped") {
  Fixture fixture({"reader"});
  fixture.task("r1");
  fixture.agent.on_cancel("r1");
  const auto late = fixture.send(0, "r1");
  CHECK_FALSE(late.turn.has_value());
  CHECK(late.failures.empty());
  CHECK_FALSE(fixture.agent.next_deadline().has_value());
}

TEST_CASE("a turn begins with the first message of each kv edge, and the rest is awaited as it comes") {
  Fixture fixture({"reader", "drafter"}, wire::Medium::kKv);
  fixture.task("r1");
  CHECK_FALSE(fixture.send_rows(0, "r1", 0, 2).turn.has_value());
  const auto last = fixture.send_rows(1, "r1", 0, 2);
  REQUIRE(last.turn.has_value());
  CHECK(last.turn->inbox.at(0).empty());  // rows are in the request's cache
  const auto later = fixture.send_rows(0, "r1", 1, 2);
  CHECK_FALSE(later.turn.has_value());
  CHECK(later.failures.empty());
}

TEST_CASE("rows of more requests than the bound before any task are refused, naming the edge") {
  Fixture fixture({"reader"}, wire::Medium::kKv);
  for (std::size_t i = 0; i < Agent::kMaxEarlyRequests; ++i) fixture.send_rows(0, "r" + std::to_string(i), 0, 2);
  CHECK(fixture.send_rows(0, "r0", 1, 2).failures.empty());
  const auto outcome = fixture.send_rows(0, "one-more", 0, 2);
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "one-more");
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("reader -> solver"));
}

TEST_CASE("a gap in the rows of a turn under way fails that request") {
  Fixture fixture({"reader"}, wire::Medium::kKv);
  fixture.task("r1");
  REQUIRE(fixture.send_rows(0, "r1", 0, 3).turn.has_value());
  const auto outcome = fixture.send_rows(0, "r1", 2, 3);
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r1");
  CHECK(outcome.failures[0].turn_tells);
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("lost"));
  CHECK(fixture.send_rows(0, "r1", 1, 3).failures.empty());  // dropped
}

TEST_CASE("the deadline holds while rows of a turn under way are missing, and no longer once they are there") {
  Fixture fixture({"reader"}, wire::Medium::kKv);
  fixture.task("r1", /*deadline_ms=*/100);
  REQUIRE(fixture.send_rows(0, "r1", 0, 2).turn.has_value());
  REQUIRE(fixture.agent.next_deadline() == kStart + 100ms);
  fixture.send_rows(0, "r1", 1, 2);
  CHECK(fixture.agent.expire(kStart + 200ms).empty());

  fixture.task("r2", /*deadline_ms=*/100);
  fixture.send_rows(0, "r2", 0, 2);
  const auto failures = fixture.agent.expire(kStart + 100ms);
  REQUIRE(failures.size() == 1);
  CHECK_THAT(failures[0].reason, Catch::Contains("1 of 2 messages"));
}

TEST_CASE("rows that come after their turn has ended are dropped") {
  Fixture fixture({"reader"}, wire::Medium::kKv);
  fixture.task("r1");
  REQUIRE(fixture.send_rows(0, "r1", 0, 2).turn.has_value());
  fixture.agent.on_turn_end("r1");
  const auto late = fixture.send_rows(0, "r1", 1, 2);
  CHECK((late.failures.empty() && !late.turn));
}

TEST_CASE("a request whose deadline passes while it waits fails with the edges that are missing") {
  Fixture fixture({"reader", "drafter"});
  fixture.task("r1", /*deadline_ms=*/100);
  fixture.send(1, "r1");
  CHECK(fixture.agent.expire(kStart + 99ms).empty());
  REQUIRE(fixture.agent.next_deadline() == kStart + 100ms);
  const auto failures = fixture.agent.expire(kStart + 100ms);
  REQUIRE(failures.size() == 1);
  CHECK_THAT(failures[0].reason, Catch::Contains("reader -> solver") && !Catch::Contains("drafter"));
  CHECK(fixture.agent.expire(kStart + 200ms).empty());
}

TEST_CASE("scores reach the outbound edge they are for, and those for another edge are an error") {
  Fixture fixture({});
  fixture.agent.on_scores({"solver", "judge", {0.25, 0.75}});
  CHECK(fixture.agent.wiring().outbound.at(0).measured.importances == std::vector<double>{0.25, 0.75});
  CHECK_THROWS_WITH(fixture.agent.on_scores({"solver", "nobody", {1}}), Catch::Contains("solver -> nobody"));
}

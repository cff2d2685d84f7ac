#include "agents/agent.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "kvcodec/encode.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace std::chrono_literals;

namespace {

const Agent::Clock::time_point kStart{};

wire::Manifest a_manifest() {
  wire::Manifest manifest;
  manifest.family = "llama";
  manifest.num_key_value_heads = 2;
  manifest.head_dim = 32;
  manifest.rope_theta = 10000;
  manifest.num_hidden_layers = 8;
  return manifest;
}

/// An agent called solver that hears `senders` over edges of one medium, and the verbs of its life.
class Fixture {
 public:
  explicit Fixture(const std::vector<std::string>& senders, wire::Medium medium = wire::Medium::kText) {
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
    agent = Agent(wiring);
  }

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

  /// Of rows of layer `sequence` over kv edge `edge`.
  wire::Envelope rows(std::size_t edge, const std::string& request, std::uint32_t sequence, std::uint32_t count) const {
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
    return envelope;
  }

  /// They come, and are placed if they are awaited.
  Agent::Outcome send_rows(std::size_t edge, const std::string& request, std::uint32_t sequence, std::uint32_t count) {
    const wire::Envelope envelope = rows(edge, request, sequence, count);
    try {
      if (!agent.awaits(edge, envelope)) return {};
    } catch (const Error& error) {
      return agent.on_refused(edge, request, error);
    }
    return agent.on_rows(edge, envelope, kStart + 5ms);
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
  CHECK_THROWS_WITH(fixture.send(0, "one-more"), Catch::Contains("reader -> solver"));
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
  CHECK(fixture.agent.awaits(0, fixture.rows(0, "r1", 0, 2)));
  CHECK_FALSE(fixture.send_rows(0, "r1", 0, 2).turn.has_value());
  const auto last = fixture.send_rows(1, "r1", 0, 2);
  REQUIRE(last.turn.has_value());
  CHECK(last.turn->inbox.at(0).empty());  // rows are in the request's cache
  CHECK(fixture.agent.awaits(0, fixture.rows(0, "r1", 1, 2)));
  const auto later = fixture.send_rows(0, "r1", 1, 2);
  CHECK_FALSE(later.turn.has_value());
  CHECK(later.failures.empty());
}

TEST_CASE("to ask whether rows are awaited changes nothing, whatever the answer") {
  Fixture fixture({"reader"}, wire::Medium::kKv);
  fixture.task("r1");
  for (int times = 0; times < 3; ++times) {
    CHECK(fixture.agent.awaits(0, fixture.rows(0, "r1", 0, 1)));
    CHECK_THROWS_WITH(fixture.agent.awaits(0, fixture.rows(0, "r1", 1, 2)), Catch::Contains("lost"));
    for (std::size_t i = 0; i <= Agent::kMaxEarlyRequests; ++i)  // none of them is opened
      CHECK(fixture.agent.awaits(0, fixture.rows(0, "early" + std::to_string(i), 0, 1)));
  }
  CHECK(fixture.send_rows(0, "r1", 0, 1).turn.has_value());
}

TEST_CASE("rows of more requests than the bound before any task are refused, naming the edge") {
  Fixture fixture({"reader"}, wire::Medium::kKv);
  for (std::size_t i = 0; i < Agent::kMaxEarlyRequests; ++i) fixture.send_rows(0, "r" + std::to_string(i), 0, 2);
  CHECK(fixture.agent.awaits(0, fixture.rows(0, "r0", 1, 2)));
  CHECK_THROWS_WITH(fixture.send_rows(0, "one-more", 0, 2), Catch::Contains("reader -> solver"));
}

TEST_CASE("a gap in the rows of a turn under way fails that request") {
  Fixture fixture({"reader"}, wire::Medium::kKv);
  fixture.task("r1");
  REQUIRE(fixture.send_rows(0, "r1", 0, 3).turn.has_value());
  const auto outcome = fixture.send_rows(0, "r1", 2, 3);
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r1");
  CHECK_THAT(outcome.failures[0].reason, Catch::Contains("lost"));
  CHECK_FALSE(fixture.agent.awaits(0, fixture.rows(0, "r1", 1, 3)));
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
  CHECK_FALSE(fixture.agent.awaits(0, fixture.rows(0, "r1", 1, 2)));
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
  CHECK(fixture.agent.wiring().outbound.at(0).scores == std::vector<double>{0.25, 0.75});
  CHECK_THROWS_WITH(fixture.agent.on_scores({"solver", "nobody", {1}}), Catch::Contains("solver -> nobody"));
}

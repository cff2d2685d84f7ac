#include "kvcodec/reassembly.hpp"

#include <catch2/catch.hpp>

#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using kvcodec::Reassembly;

namespace {

Reassembly receiver() {
  return Reassembly({.mesh = "demo",
                     .from = "reader",
                     .to = "solver",
                     .kind = wire::Medium::kKv,
                     .request = "r0",
                     .manifest = example_manifest().hash()});
}

wire::WireMessage message(std::uint32_t sequence, std::uint32_t count = 3) {
  wire::WireMessage message{.envelope = example_envelope(), .payload = example_payload()};
  message.envelope.sequence = sequence;
  message.envelope.count = count;
  message.envelope.layer = static_cast<std::int32_t>(2 * sequence);
  message.envelope.layers_complete = message.envelope.layer + 1;
  return message;
}

std::string refusal(Reassembly& reassembly, const wire::WireMessage& next) {
  ErrorKind kind = ErrorKind::kReconnect;
  const std::string text = error_of([&] { reassembly.feed(next); }, &kind);
  return kind == ErrorKind::kReconnect ? text : "an error of another kind: " + text;
}

}  // namespace

TEST_CASE("messages in order make a whole request") {
  Reassembly reassembly = receiver();
  CHECK_FALSE(reassembly.complete());
  for (std::uint32_t sequence = 0; sequence < 3; ++sequence) {
    CHECK_FALSE(reassembly.complete());
    reassembly.feed(message(sequence));
  }
  REQUIRE(reassembly.complete());
  const std::vector<wire::WireMessage> messages = reassembly.take();
  REQUIRE(messages.size() == 3);
  CHECK(messages[2].envelope.layer == 4);
}

TEST_CASE("messages can be taken as they come, each once") {
  Reassembly reassembly = receiver();
  reassembly.feed(message(0));
  CHECK(reassembly.take().size() == 1);
  CHECK(reassembly.take().empty());
  reassembly.feed(message(1));
  reassembly.feed(message(2));
  CHECK(reassembly.take().size() == 2);
  CHECK(reassembly.complete());
}

TEST_CASE("a gap is found with the numbers that are missing, and the edge") {
  Reassembly reassembly = receiver();
  reassembly.feed(message(0, 5));
  CHECK_THAT(refusal(reassembly, message(3, 5)),
             holds("messages 1 to 2 of 5 were lost") && holds("edge reader -> solver (kv), request \"r0\""));
  CHECK(reassembly.received() == 1);
}

TEST_CASE("the first message lost is a gap too") {
  Reassembly reassembly = receiver();
  CHECK_THAT(refusal(reassembly, message(1)), holds("messages 0 to 0 of 3 were lost"));
}

TEST_CASE("a message that comes twice is found, after the last one too") {
  Reassembly reassembly = receiver();
  reassembly.feed(message(0, 2));
  CHECK_THAT(refusal(reassembly, message(0, 2)), holds("message 0 of 2 came twice"));
  reassembly.feed(message(1, 2));
  CHECK_THAT(refusal(reassembly, message(1, 2)), holds("message 1 of 2 came twice"));
}

TEST_CASE("a count that changes is found with both numbers") {
  Reassembly reassembly = receiver();
  reassembly.feed(message(0, 3));
  CHECK_THAT(refusal(reassembly, message(1, 4)), holds("there are 4 messages, the first said 3"));
}

TEST_CASE("rows of a layer that was called complete are refused") {
  Reassembly reassembly = receiver();
  reassembly.feed(message(0));
  wire::WireMessage again = message(1);
  again.envelope.layer = 0;
  CHECK_THAT(refusal(reassembly, again), holds("rows of layer 0 came after") && holds("below 1 complete"));
}

TEST_CASE("what was called complete stays so") {
  Reassembly reassembly = receiver();
  reassembly.feed(message(0));
  wire::WireMessage less = message(1);
  less.envelope.layers_complete = 0;
  CHECK_THAT(refusal(reassembly, less), holds("below 0 complete, an earlier one those below 1"));
}

TEST_CASE("what is meant for others is refused with both names") {
  const auto refused = [](auto edit) {
    Reassembly reassembly = receiver();
    wire::WireMessage foreign = message(0);
    edit(foreign.envelope);
    return refusal(reassembly, foreign);
  };
  CHECK_THAT(refused([](auto& envelope) { envelope.mesh = "other"; }), holds("mesh \"other\"") && holds("\"demo\""));
  CHECK_THAT(refused([](auto& envelope) { envelope.from = "x"; }), holds("sender \"x\"") && holds("\"reader\""));
  CHECK_THAT(refused([](auto& envelope) { envelope.to = "x"; }), holds("receiver \"x\"") && holds("\"solver\""));
  CHECK_THAT(refused([](auto& envelope) { envelope.request = "r1"; }), holds("request \"r1\"") && holds("\"r0\""));
  CHECK_THAT(refused([](auto& envelope) { envelope.kind = wire::Medium::kText; }), holds("kind \"text\""));
  CHECK_THAT(refused([](auto& envelope) { envelope.manifest = "0123"; }),
             holds("manifest hash \"0123\"") && holds(example_manifest().hash()));
}

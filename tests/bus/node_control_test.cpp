#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "bus/control.hpp"
#include "bus/detail/control_pieces.hpp"
#include "tests/bus/event_log.hpp"

using Catch::Matchers::Contains;
using namespace kvmesh::bus;
using namespace kvmesh::bus::test;

namespace {

/// Sends `count` numbered messages from the spoke to the hub and back, and says whether they came in order.
bool talk_in_order(TestNode& hub, TestNode& spoke, int count) {
  for (int i = 0; i < count; ++i) spoke.node.send_control("", text(std::to_string(i)));
  std::string peer;
  for (int i = 0; i < count; ++i) {
    auto event = hub.log.next<ControlReceived>();
    if (event.body.text() != std::to_string(i)) return false;
    peer = event.peer;
    hub.node.send_control(peer, event.body);
  }
  for (int i = 0; i < count; ++i) {
    const auto event = spoke.log.next<ControlReceived>();
    if (event.body.text() != std::to_string(i) || !event.peer.empty()) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("control messages go both ways in order over ipc") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  CHECK(talk_in_order(hub, spoke, 500));
}

TEST_CASE("control messages go both ways in order over tcp") {
  TestNode hub(TestNode::hub(Endpoint::parse("tcp://127.0.0.1:*")));
  CHECK(hub.node.control_endpoint().port() != "*");
  TestNode spoke(TestNode::spoke(hub.node.control_endpoint()));
  CHECK(spoke.node.control_endpoint() == hub.node.control_endpoint());
  CHECK(talk_in_order(hub, spoke, 500));
}

TEST_CASE("a hub tells its peers apart") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  TestNode first(TestNode::spoke(folder.ipc("control")));
  TestNode second(TestNode::spoke(folder.ipc("control")));
  first.node.send_control("", text("first"));
  const auto from_first = hub.log.next<ControlReceived>();
  second.node.send_control("", text("second"));
  const auto from_second = hub.log.next<ControlReceived>();
  REQUIRE(from_first.peer != from_second.peer);
  hub.node.send_control(from_second.peer, text("to second"));
  hub.node.send_control(from_first.peer, text("to first"));
  CHECK(first.log.next<ControlReceived>().body.text() == "to first");
  CHECK(second.log.next<ControlReceived>().body.text() == "to second");
}

TEST_CASE("a spoke may be there before its hub") {
  const Folder folder;
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  spoke.node.send_control("", text("early"));
  TestNode hub(TestNode::hub(folder.ipc("control")));
  CHECK(hub.log.next<ControlReceived>().body.text() == "early");
}

TEST_CASE("a message to a peer that nobody knows is a SendFailed that names it") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  hub.node.send_control("nobody", text("hello"));
  const auto failed = hub.log.next<SendFailed>();
  CHECK(failed.peer == "nobody");
  CHECK(failed.topic.empty());
  CHECK_THAT(failed.reason, Contains("not connected"));
}

TEST_CASE("a message to a peer that has left becomes a SendFailed") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  std::string peer;
  {
    TestNode spoke(TestNode::spoke(folder.ipc("control")));
    spoke.node.send_control("", text("here"));
    peer = hub.log.next<ControlReceived>().peer;
  }
  // The hub may learn of the loss only after some messages have gone nowhere.
  const auto deadline = kvmesh::Deadline::after(kPatience);
  while (!hub.log.has<SendFailed>() && !deadline.expired()) hub.node.send_control(peer, text("still there?"));
  CHECK(hub.log.next<SendFailed>().peer == peer);
}

TEST_CASE("a control message beyond the limit is a SendFailed and the connection stays") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  spoke.node.send_control("", text(std::string(kMaxControlBytes + 1, 'x')));
  CHECK_THAT(spoke.log.next<SendFailed>().reason, Contains("longer than"));
  spoke.node.send_control("", text("shorter"));
  CHECK(hub.log.next<ControlReceived>().body.text() == "shorter");
}

TEST_CASE("a long control message arrives whole, in pieces that say that its sender lives") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  std::string body(detail::kControlPieceBytes * 20 + 5, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  spoke.node.send_control("", text(body));
  spoke.node.send_control("", text("next"));
  const auto received = hub.log.next<ControlReceived>();
  CHECK(received.body.text() == body);
  for (int i = 0; i < 20; ++i) CHECK(hub.log.next<ControlComing>().peer == received.peer);
  CHECK(hub.log.next<ControlReceived>().body.text() == "next");
  hub.node.send_control(received.peer, text(body));
  CHECK(spoke.log.next<ControlReceived>().body.text() == body);
}

TEST_CASE("what was said last before the end arrives") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  {
    TestNode spoke(TestNode::spoke(folder.ipc("control")));
    spoke.node.send_control("", text("bye"));
  }
  CHECK(hub.log.next<ControlReceived>().body.text() == "bye");
}

TEST_CASE("an encoded control message arrives as it was") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  spoke.node.send_control("", encode_control(Join{.agent = "solver", .pid = 12}));
  CHECK(std::get<Join>(decode_control(hub.log.next<ControlReceived>().body)).agent == "solver");
}

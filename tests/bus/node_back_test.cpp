#include <catch2/catch.hpp>
#include <zmq.hpp>

#include "base/error.hpp"
#include "tests/bus/event_log.hpp"

using namespace kvmesh::bus;
using namespace kvmesh::bus::test;

namespace {

/// Two publishers and one subscriber that hears "one;" of the first and "two;" of the second.
struct Scene {
  Folder folder;
  TestNode first{TestNode::hub(folder.ipc("control"), folder.ipc("first"))};
  TestNode second{TestNode::spoke(folder.ipc("control"), folder.ipc("second"))};
  TestNode receiver{TestNode::spoke(folder.ipc("control"))};

  Scene() {
    receiver.node.subscribe(folder.ipc("first"), "one;");
    receiver.node.subscribe(folder.ipc("second"), "two;");
    await(first, "one;");
    await(second, "two;");
  }
  static void await(TestNode& node, const std::string& topic) {
    while (node.log.next<SubscriptionOpened>().topic != topic) {
    }
  }
};

}  // namespace

TEST_CASE("what a subscriber sends back reaches the publisher, in order, bytes of any kind") {
  Scene scene;
  const std::string bytes("\0\1;\xff", 4);
  scene.receiver.node.send_back("one;", text(bytes));
  scene.receiver.node.send_back("one;", text(""));
  const auto got = scene.first.log.next<CameBack>();
  CHECK(got.topic == "one;");
  CHECK(got.body.text() == bytes);
  CHECK(scene.first.log.next<CameBack>().body.empty());
}

TEST_CASE("what is sent back goes to every publisher that the subscriber hears, and says which topic it is for") {
  Scene scene;
  scene.receiver.node.send_back("two;", text("for the second"));
  for (TestNode* node : {&scene.first, &scene.second}) {
    const auto got = node->log.next<CameBack>();
    CHECK(got.topic == "two;");
    CHECK(got.body.text() == "for the second");
  }
}

TEST_CASE("sending back changes no subscription") {
  Scene scene;
  scene.receiver.node.send_back("one;", text("x"));
  scene.first.log.next<CameBack>();
  scene.first.node.publish("one;", {text("still heard")});
  CHECK(scene.receiver.log.next<Delivered>().message.at(0).text() == "still heard");
  CHECK_FALSE(scene.first.log.has<SubscriptionClosed>());
}

TEST_CASE("a subscriber that comes back can send back again") {
  const Folder folder;
  TestNode sender(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  for (const std::string life : {"first", "second"}) {
    TestNode receiver(TestNode::spoke(folder.ipc("control")));
    receiver.node.subscribe(folder.ipc("publish"), "one;");
    Scene::await(sender, "one;");
    receiver.node.send_back("one;", text(life));
    CHECK(sender.log.next<CameBack>().body.text() == life);
  }
}

TEST_CASE("more than a publisher takes back is refused before it leaves") {
  Scene scene;
  CHECK_THROWS_AS(scene.receiver.node.send_back("one;", text(std::string(kMaxBackBytes + 1, 'x'))), kvmesh::Error);
  scene.receiver.node.send_back("one;", text(std::string(kMaxBackBytes, 'x')));
  CHECK(scene.first.log.next<CameBack>().body.size() == kMaxBackBytes);
}

TEST_CASE("a plain SUB socket is a subscriber too, and words without a topic are not reported") {
  const Folder folder;
  TestNode sender(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  zmq::context_t context;
  zmq::socket_t sub(context, zmq::socket_type::sub);
  sub.set(zmq::sockopt::subscribe, "one;");
  sub.connect(sender.node.publish_endpoint().string());
  Scene::await(sender, "one;");
  zmq::socket_t stranger(context, zmq::socket_type::xsub);
  stranger.connect(sender.node.publish_endpoint().string());
  for (const std::string words : {"no topic at all", "one;told"}) stranger.send(zmq::buffer(words));
  CHECK(sender.log.next<CameBack>().body.text() == "told");
  sender.node.publish("one;", {text("heard")});
  zmq::message_t part;
  REQUIRE(sub.recv(part));
  REQUIRE(sub.recv(part));
  CHECK(part.to_string() == "heard");
}

// The sender's end of offers, over real sockets.

#include "agents/reuse/offering.hpp"

#include <catch2/catch.hpp>

#include "tests/bus/event_log.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace kvmesh::bus::test;

namespace {

constexpr const char* kTopic = "m/a/b/kv;";
constexpr const char* kOffers = "m/a/b/offer;";

/// A sender with one edge, and its receiver's node.
struct Scene {
  Folder folder;
  TestNode sender{TestNode::hub(folder.ipc("control"), folder.ipc("publish"))};
  TestNode receiver{TestNode::spoke(folder.ipc("control"))};
  Offering offering{sender.node, /*sent_bytes=*/1000, [](const std::function<void()>& work) { work(); }};

  Scene() { offering.add_edge(kTopic, kOffers); }
  void subscribe(const std::string& topic) {
    receiver.node.subscribe(folder.ipc("publish"), topic);
    const auto opened = sender.log.next<bus::SubscriptionOpened>();
    offering.on_subscription(opened.topic, true);
  }
  std::optional<Agent::Failure> comes_back(const wire::Back& back) {
    receiver.node.send_back(kOffers, wire::encode_back(back));
    return offering.on_back(sender.log.next<bus::CameBack>());
  }
};

}  // namespace

TEST_CASE("a receiver that does not subscribe to offers is offered nothing") {
  Scene scene;
  scene.subscribe(kTopic);
  CHECK(scene.offering.hooks().offer(0, {"r0", {{1, 2}}}) == 0);
  CHECK(scene.offering.hooks().held(0, "r0").empty());
}

TEST_CASE("one that does is offered the blocks, and its answer is what is held") {
  Scene scene;
  scene.subscribe(kOffers);
  const wire::Offer offer{"r0", {{1, 2}, {3, 4}}};
  CHECK(scene.offering.hooks().offer(0, offer) > 32);
  CHECK(wire::decode_offer(scene.receiver.log.next<bus::Delivered>().message) == offer);
  CHECK_FALSE(scene.comes_back(wire::Held{"r0", {2, 0}}));
  CHECK(scene.offering.hooks().held(0, "r0") == std::vector<std::int64_t>{2, 0});
}

TEST_CASE("a message that is asked for again is published again, and one that is not here fails its request") {
  Scene scene;
  scene.subscribe(kOffers);
  scene.subscribe(kTopic);
  scene.offering.hooks().sent(0, "r0", 0, /*bytes=*/4, [] {
    return wire::UnsealedMessage{{bus::test::text("rows")}, nullptr};
  });
  CHECK_FALSE(scene.comes_back(wire::Again{"r0", 0}));
  CHECK(scene.receiver.log.next<bus::Delivered>().message.at(0).text() == "rows");
  CHECK_FALSE(scene.comes_back(wire::Done{"r0"}));
  const auto failure = scene.comes_back(wire::Again{"r0", 0});
  REQUIRE(failure);
  CHECK(failure->request == "r0");
  CHECK_THAT(failure->reason, Catch::Contains("m/a/b/kv;") && Catch::Contains("message 0"));
}

TEST_CASE("what comes back on another sender's topic is not ours, and what cannot be read is refused") {
  Scene scene;
  scene.subscribe(kOffers);
  scene.receiver.node.send_back("m/x/b/offer;", bus::test::text("for x"));
  CHECK_FALSE(scene.offering.on_back(scene.sender.log.next<bus::CameBack>()));
  scene.receiver.node.send_back(kOffers, bus::test::text("\xc1"));
  CHECK_THROWS_AS(scene.offering.on_back(scene.sender.log.next<bus::CameBack>()), Error);
}

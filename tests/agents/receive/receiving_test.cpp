// Rows on their way from the bus into a request's cache, checked while they are copied: what a damaged message leaves
// behind, which is nothing, and what its second coming gives.

#include "agents/agent.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "bus/topic.hpp"
#include "kvcodec/encode.hpp"
#include "kvcodec/positions.hpp"
#include "tests/bus/event_log.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::agents;
using namespace kvmesh::test;
using Catch::Matchers::Contains;

namespace {

using Frames = std::vector<OwnedBytes>;

constexpr std::int64_t kTokens = 130;  // of each sender; more than 16 KiB of keys a layer: they go through an arena
constexpr std::size_t kPlenty = std::size_t{1} << 28;

const llm::Model& tiny() {
  static const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  return model;
}

int layers() { return static_cast<int>(tiny().config().num_hidden_layers); }

wire::EdgeSpec edge_from(const std::string& sender) {
  wire::EdgeSpec spec;
  spec.from = sender;
  spec.to = "solver";
  spec.layers.kind = wire::LayerChoice::Kind::kAll;
  return spec;
}

Wiring hears(const std::vector<std::string>& senders) {
  Wiring wiring{.mesh = "test", .inbound = {}, .outbound = {}};
  for (const std::string& sender : senders)
    wiring.inbound.push_back({edge_from(sender), llm::manifest_of(tiny().config())});
  return wiring;
}

/// Keys (0) or values (1) of sender number `edge` at a layer.
at::Tensor sent_rows(std::size_t edge, int layer, int which) {
  at::Generator random =
      at::detail::createCPUGenerator(static_cast<std::uint64_t>(edge) * 1000 + static_cast<std::uint64_t>(layer) * 2 +
                                     static_cast<std::uint64_t>(which));
  return at::randn({kTokens, tiny().config().num_key_value_heads, tiny().config().head_dim}, random);
}

/// The same with a bit of its last payload byte turned over.
Frames damaged(Frames frames) {
  std::string bytes(frames.back().text());
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  frames.back() = OwnedBytes::from_string(bytes);
  return frames;
}

/// Message number `sequence` of `count`, a layer each.
Frames message(const std::string& sender, std::size_t edge, std::uint32_t sequence, std::uint32_t count,
               const std::string& request = "r") {
  wire::Envelope envelope;
  envelope.mesh = "test";
  envelope.from = sender;
  envelope.to = "solver";
  envelope.request = request;
  envelope.sequence = sequence;
  envelope.count = count;
  envelope.manifest = llm::manifest_of(tiny().config()).hash();
  envelope.layer = static_cast<std::int32_t>(sequence);
  envelope.context_end = kTokens;
  envelope.layers_complete = envelope.layer + 1;
  return kvcodec::encode_layer({sent_rows(edge, envelope.layer, 0),
                                sent_rows(edge, envelope.layer, 1),
                                {{.first = 0, .count = kTokens}}},
                               envelope);
}

/// An agent that has been given task "r" and hears of it what `senders` share.
class Scene {
 public:
  explicit Scene(std::vector<std::string> senders, bool borrows = false, std::size_t waiting_bytes = kPlenty)
      : senders_(std::move(senders)),
        agent(hears(senders_), {.model = &tiny(),
                                .room = nullptr,
                                .borrows = std::vector<bool>(senders_.size(), borrows),
                                .keep_bytes = kPlenty,
                                .waiting_bytes = waiting_bytes}) {
    bus::Task task;
    task.request = "r";
    agent.on_task(task, {});
  }

  /// Every sender says that it can be asked again.
  void offer() {
    for (std::size_t edge = 0; edge < senders_.size(); ++edge) agent.on_offer(edge, {.request = "r", .blocks = {}});
  }

  Frames of(std::size_t edge, std::uint32_t sequence, std::uint32_t count) const {
    return message(senders_.at(edge), edge, sequence, count);
  }
  Frames of(std::size_t edge, std::uint32_t sequence) const {
    return of(edge, sequence, static_cast<std::uint32_t>(layers()));
  }

  /// Carries out what comes of a message, but for what goes back.
  Agent::Outcome hear(std::size_t edge, const Frames& frames) {
    Agent::Outcome outcome = agent.on_message(edge, frames, {});
    if (outcome.turn) arrivals = outcome.turn->kv;
    return outcome;
  }

  /// What is asked for again, "" where nothing is.
  static std::string asked(const Agent::Outcome& outcome) {
    std::string asked;
    for (const wire::Back& back : outcome.back)
      if (const auto* again = std::get_if<wire::Again>(&back)) asked += cat(again->request, "/", again->sequence, " ");
    return asked;
  }
  static bool done(const Agent::Outcome& outcome) {
    return std::any_of(outcome.back.begin(), outcome.back.end(),
                       [](const wire::Back& back) { return std::holds_alternative<wire::Done>(back); });
  }

 private:
  const std::vector<std::string> senders_;

 public:
  Agent agent;
  std::shared_ptr<KvArrivals> arrivals;  ///< once the turn has begun
};

/// The rows of sender 0, byte for byte, at the first `count` layers.
void check_first_sender(KvArrivals& arrivals, int count) {
  for (int layer = 0; layer < count; ++layer) {
    CAPTURE(layer);
    const llm::LayerCache& rows = arrivals.cache().layer(layer);
    REQUIRE(rows.length() >= kTokens);
    CHECK(at::equal(rows.keys().narrow(0, 0, kTokens), sent_rows(0, layer, 0)));
    CHECK(at::equal(rows.values().narrow(0, 0, kTokens), sent_rows(0, layer, 1)));
  }
}

}  // namespace

TEST_CASE("rows stand in the cache as they were sent, byte for byte, and the turn begins with the first of them") {
  Scene scene({"reader"});
  for (int layer = 0; layer < layers(); ++layer) {
    const auto outcome = scene.hear(0, scene.of(0, static_cast<std::uint32_t>(layer)));
    CHECK(outcome.turn.has_value() == (layer == 0));
    CHECK(outcome.failures.empty());
    CHECK(outcome.back.empty());  // nothing was offered
  }
  check_first_sender(*scene.arrivals, layers());
  CHECK(scene.arrivals->settled());
}

TEST_CASE("a damaged message is asked for again and leaves everything as it was, whichever of its request it is") {
  const auto last = static_cast<std::uint32_t>(layers()) - 1;
  for (const std::uint32_t which : {0u, 1u, last}) {
    CAPTURE(which);
    Scene scene({"reader"});
    scene.offer();
    for (std::uint32_t i = 0; i < which; ++i) scene.hear(0, scene.of(0, i));

    const auto outcome = scene.hear(0, damaged(scene.of(0, which)));
    CHECK(scene.asked(outcome) == cat("r/", which, " "));
    CHECK_FALSE(outcome.turn.has_value());
    CHECK(outcome.failures.empty());
    CHECK_FALSE(scene.done(outcome));
    if (scene.arrivals) {
      CHECK(scene.arrivals->cache().layer(static_cast<int>(which)).length() == 0);
      CHECK_FALSE(scene.arrivals->settled());
    }
    for (std::uint32_t i = which + 1; i <= last; ++i) CHECK(scene.hear(0, scene.of(0, i)).back.empty());  // they wait

    const auto again = scene.hear(0, scene.of(0, which));
    CHECK(again.turn.has_value() == (which == 0));
    CHECK(scene.done(again));
    CHECK(again.failures.empty());
    check_first_sender(*scene.arrivals, layers());
    CHECK(scene.arrivals->cache().layer(static_cast<int>(which)).length() == kTokens);
    CHECK(scene.arrivals->settled());
  }
}

TEST_CASE("the only message of a request is asked for again, and the turn begins with its second coming") {
  Scene scene({"reader"});
  scene.offer();
  CHECK(scene.asked(scene.hear(0, damaged(scene.of(0, 0, 1)))) == "r/0 ");
  CHECK_FALSE(scene.arrivals);
  const auto outcome = scene.hear(0, scene.of(0, 0, 1));
  REQUIRE(outcome.turn.has_value());
  CHECK(scene.done(outcome));
  check_first_sender(*scene.arrivals, 1);
  CHECK(scene.arrivals->settled());
}

TEST_CASE("of messages that waited for one that was asked for again, a damaged one is asked for in its turn") {
  Scene scene({"reader"});
  scene.offer();
  CHECK(scene.asked(scene.hear(0, damaged(scene.of(0, 0, 4)))) == "r/0 ");
  CHECK(scene.hear(0, scene.of(0, 1, 4)).back.empty());
  CHECK(scene.hear(0, damaged(scene.of(0, 2, 4))).back.empty());
  CHECK(scene.hear(0, scene.of(0, 3, 4)).back.empty());
  CHECK(scene.asked(scene.hear(0, scene.of(0, 0, 4))) == "r/2 ");
  CHECK(scene.arrivals->cache().layer(1).length() == kTokens);
  CHECK(scene.arrivals->cache().layer(2).length() == 0);
  CHECK(scene.arrivals->cache().layer(3).length() == 0);
  CHECK(scene.done(scene.hear(0, scene.of(0, 2, 4))));
  check_first_sender(*scene.arrivals, 4);
}

TEST_CASE("a message that is damaged twice fails its request, and what comes for it then is dropped") {
  Scene scene({"reader"});
  scene.offer();
  scene.hear(0, scene.of(0, 0));
  scene.hear(0, damaged(scene.of(0, 1)));
  const auto outcome = scene.hear(0, damaged(scene.of(0, 1)));
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r");
  CHECK_THAT(outcome.failures[0].reason, Contains("reader -> solver") && Contains("message 1") && Contains("layer 1") &&
                                             Contains("damaged") && Contains("asked for again"));
  CHECK(outcome.failures[0].turn_tells);  // its turn had begun, and says so itself
  CHECK_THROWS_WITH(scene.arrivals->wait_for(1, std::nullopt), outcome.failures[0].reason);
  const auto late = scene.hear(0, scene.of(0, 2));
  CHECK((late.back.empty() && late.failures.empty()));
}

TEST_CASE("where the sender cannot be asked again a damaged message fails the request that it names") {
  Scene scene({"reader"});
  bus::Task other;
  other.request = "other";
  scene.agent.on_task(other, {});
  const auto outcome = scene.hear(0, damaged(scene.of(0, 0)));
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r");
  CHECK_THAT(outcome.failures[0].reason, Contains("reader -> solver") && Contains("layer 0") && Contains("damaged"));
  CHECK_FALSE(outcome.turn.has_value());
  CHECK(outcome.back.empty());
}

TEST_CASE("a damaged message of a request that is over is dropped: nobody needs it again") {
  Scene scene({"reader"});
  scene.offer();
  scene.hear(0, scene.of(0, 0));
  scene.agent.on_cancel("r");
  const auto outcome = scene.hear(0, damaged(scene.of(0, 1)));
  CHECK((outcome.back.empty() && outcome.failures.empty() && !outcome.turn));
}

TEST_CASE("messages that have to wait find no room beyond the budget, and fail their request alone") {
  const std::size_t one = total_size(message("second", 1, 0, 3)) - message("second", 1, 0, 3).front().size();
  Scene scene({"first", "second"}, /*borrows=*/false, /*waiting_bytes=*/5 * one);
  CHECK(scene.hear(1, scene.of(1, 0, 3)).failures.empty());  // it waits for the first sender, and the turn for it
  CHECK(scene.hear(1, scene.of(1, 1, 3)).failures.empty());
  const auto outcome = scene.hear(1, scene.of(1, 2, 3));
  REQUIRE(outcome.failures.size() == 1);
  CHECK(outcome.failures[0].request == "r");
  CHECK_THAT(outcome.failures[0].reason, Contains("second -> solver") && Contains(cat(5 * one, " bytes")));

  bus::Task next;
  next.request = "next";
  scene.agent.on_task(next, {});
  CHECK(scene.hear(1, message("second", 1, 0, 3, "next")).failures.empty());  // what the other held is free again
}

TEST_CASE("messages behind one that was asked for again wait within the budget") {
  const std::size_t one = total_size(message("reader", 0, 0, 8)) - message("reader", 0, 0, 8).front().size();
  Scene scene({"reader"}, /*borrows=*/false, /*waiting_bytes=*/2 * one);
  scene.offer();
  scene.hear(0, scene.of(0, 0));
  CHECK(scene.asked(scene.hear(0, damaged(scene.of(0, 1)))) == "r/1 ");
  for (const std::uint32_t i : {2u, 3u}) CHECK(scene.hear(0, scene.of(0, i)).failures.empty());
  CHECK_THAT(scene.hear(0, scene.of(0, 4)).failures.at(0).reason, Contains("reader -> solver") && Contains("wait"));
}

TEST_CASE("a message that cannot be read at all fails those that wait on its edge, naming that") {
  Scene scene({"reader"});
  const auto outcome = scene.hear(0, {OwnedBytes::from_string("no envelope")});
  REQUIRE(outcome.failures.size() == 1);
  CHECK_THAT(outcome.failures[0].reason, Contains("reader -> solver"));
}

namespace {

/// Frames in memory that their sender needs back.
class Borrowed {
 public:
  explicit Borrowed(Frames from) : frames(std::move(from)) {
    for (std::size_t i = 1; i < frames.size(); ++i) {
      auto owner = std::make_shared<std::string>(frames[i].text());
      frames[i] = OwnedBytes(owner, std::as_bytes(std::span(owner->data(), owner->size())));
      memory_.emplace_back(owner);
    }
  }
  /// Nobody else holds it.
  void take_back() {
    frames.clear();
    for (const auto& memory : memory_) CHECK(memory.expired());
  }
  Frames frames;

 private:
  std::vector<std::weak_ptr<std::string>> memory_;
};

}  // namespace

TEST_CASE("rows of a second sender that come first are checked at once, and wait in memory of their own") {
  Scene scene({"first", "second"}), expected({"first", "second"});
  scene.offer();
  for (std::uint32_t i = 0; i < 3; ++i) expected.hear(0, expected.of(0, i, 3));
  for (std::uint32_t i = 0; i < 3; ++i) expected.hear(1, expected.of(1, i, 3));

  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(scene.asked(scene.hear(1, damaged(scene.of(1, i, 3)))) == cat("r/", i, " "));
    Borrowed frames(scene.of(1, i, 3));
    const auto outcome = scene.hear(1, frames.frames);
    CHECK(outcome.failures.empty());
    CHECK(scene.done(outcome) == (i == 2));
    frames.take_back();
  }
  CHECK_FALSE(scene.arrivals);
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(scene.asked(scene.hear(0, damaged(scene.of(0, i, 3)))) == cat("r/", i, " "));
    scene.hear(0, scene.of(0, i, 3));
  }
  check_first_sender(*scene.arrivals, 3);
  for (int layer = 0; layer < 3; ++layer) {
    CAPTURE(layer);
    const llm::LayerCache &rows = scene.arrivals->cache().layer(layer),
                          &wanted = expected.arrivals->cache().layer(layer);
    REQUIRE(rows.length() == 2 * kTokens);
    CHECK(rows.positions() == wanted.positions());
    CHECK(at::equal(rows.keys(), wanted.keys()));
    CHECK(at::equal(rows.values().narrow(0, kTokens, kTokens), sent_rows(1, layer, 1)));
    CHECK(scene.arrivals->rows(1).at(static_cast<std::size_t>(layer)).begin == kTokens);
  }
  CHECK(scene.arrivals->settled());
}

TEST_CASE("a damaged message through shared memory is asked for again, and nothing holds on to the sender's memory") {
  const std::string topic = bus::edge_topic("test", "reader", "solver", "kv");
  const bus::test::Folder folder;
  bus::test::TestNode sender(bus::test::TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  bus::test::TestNode receiver(bus::test::TestNode::spoke(folder.ipc("control")));
  sender.node.share_memory({topic});
  receiver.node.subscribe(sender.node.publish_endpoint(), topic, /*shared_memory=*/true);
  sender.log.next<bus::SubscriptionOpened>();

  Scene scene({"reader"}, /*borrows=*/true);
  scene.offer();
  std::vector<std::weak_ptr<const void>> memory;
  const auto through_the_bus = [&](const Frames& frames) {
    sender.node.publish(topic, frames);
    const bus::Delivered delivered = receiver.log.next<bus::Delivered>();
    REQUIRE(delivered.problem.empty());
    for (std::size_t i = 1; i < delivered.message.size(); ++i) memory.emplace_back(delivered.message[i].owner());
    return scene.hear(0, delivered.message);
  };
  through_the_bus(scene.of(0, 0, 3));
  CHECK(scene.asked(through_the_bus(damaged(scene.of(0, 1, 3)))) == "r/1 ");
  CHECK(scene.arrivals->cache().layer(1).length() == 0);
  through_the_bus(scene.of(0, 2, 3));
  CHECK(scene.done(through_the_bus(scene.of(0, 1, 3))));
  check_first_sender(*scene.arrivals, 3);
  CHECK(memory.size() == 8);
  for (const auto& frame : memory) CHECK(frame.expired());
}

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <zmq.hpp>

#include "base/error.hpp"
#include "bus/stale_socket.hpp"
#include "tests/bus/event_log.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using kvmesh::Error;
using kvmesh::ErrorKind;
using namespace kvmesh::bus;
using namespace kvmesh::bus::test;

namespace {

/// A subscriber that never takes anything off its socket.
struct StalledSubscriber {
  zmq::context_t context;
  zmq::socket_t socket;

  StalledSubscriber(const Endpoint& publisher, const std::string& topic) : socket(context, zmq::socket_type::sub) {
    socket.set(zmq::sockopt::rcvhwm, 1);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::subscribe, topic);
    socket.connect(publisher.string());
  }
};

std::chrono::milliseconds since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
}

Frame megabyte() { return text(std::string(1 << 20, 'x')); }

std::string failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing failed";
}

}  // namespace

TEST_CASE("a publisher whose subscriber has stalled is told within the deadline, by an error that names the topic") {
  const Folder folder;
  auto options = TestNode::hub(folder.ipc("control"), folder.ipc("publish"));
  options.publish_budget_bytes = 4 << 20;
  options.send_deadline = 200ms;
  TestNode sender(options);
  const StalledSubscriber stalled(folder.ipc("publish"), "slow;");
  sender.log.next<SubscriptionOpened>();

  std::string says;
  auto start = std::chrono::steady_clock::now();
  // Far more than budget and kernel hold together, so that one of these calls must fail.
  for (int i = 0; i < 1'000 && says.empty(); ++i) {
    start = std::chrono::steady_clock::now();
    try {
      sender.node.publish("slow;", {megabyte()});
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kRetry);
      says = error.what();
    }
  }
  CHECK_THAT(says, Contains("\"slow;\""));
  CHECK(since(start) >= 200ms);
  CHECK(since(start) < 5s);
}

TEST_CASE("waiting for a stalled subscriber costs no processor time") {
  const Folder folder;
  auto options = TestNode::hub(folder.ipc("control"), folder.ipc("publish"));
  options.publish_budget_bytes = 4 << 20;
  options.send_deadline = 400ms;
  TestNode sender(options);
  const StalledSubscriber stalled(folder.ipc("publish"), "slow;");
  sender.log.next<SubscriptionOpened>();
  const auto fill = [&] {
    while (true) sender.node.publish("slow;", {megabyte()});
  };
  CHECK_THROWS_AS(fill(), Error);
  const std::clock_t before = std::clock();
  CHECK_THROWS_AS(fill(), Error);
  CHECK((std::clock() - before) * 1000 / CLOCKS_PER_SEC < 200);
}

TEST_CASE("control goes on while the budget is full") {
  const Folder folder;
  auto options = TestNode::hub(folder.ipc("control"), folder.ipc("publish"));
  options.publish_budget_bytes = 4 << 20;
  options.send_deadline = 50ms;
  TestNode sender(options);
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  const StalledSubscriber stalled(folder.ipc("publish"), "slow;");
  sender.log.next<SubscriptionOpened>();
  CHECK_THROWS_AS(
      [&] {
        for (int i = 0; i < 1'000; ++i) sender.node.publish("slow;", {megabyte()});
      }(),
      Error);
  spoke.node.send_control("", text("still here"));
  CHECK(sender.log.next<ControlReceived>().body.text() == "still here");
}

TEST_CASE("before a stalled subscriber no more is sealed than ZeroMQ and the kernel take, and the rest still arrives") {
  const Folder folder;
  TestNode sender(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  TestNode quick(TestNode::spoke(folder.ipc("control")));
  const StalledSubscriber stalled(folder.ipc("publish"), "slow;");
  sender.log.next<SubscriptionOpened>();
  quick.node.subscribe(sender.node.publish_endpoint(), "quick;");
  sender.log.next<SubscriptionOpened>();

  std::atomic<int> sealed = 0;
  for (int i = 0; i < 64; ++i) sender.node.publish("slow;", {megabyte()}, [&] { ++sealed; });
  // Another topic is served meanwhile, and what is published later leaves later: by then all that may be sealed is.
  sender.node.publish("quick;", {megabyte()});
  quick.log.next<Delivered>();
  CHECK(sealed >= 1);
  CHECK(sealed < 32);
}

TEST_CASE("a receiver that does not deal with what came holds no more of it than its budget, and gets the rest later") {
  const Folder folder;
  TestNode sender(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  auto options = TestNode::spoke(folder.ipc("control"));
  options.receive_budget_bytes = 4 << 20;
  TestNode receiver(options);
  receiver.node.subscribe(sender.node.publish_endpoint(), "edge;");
  sender.log.next<SubscriptionOpened>();
  constexpr int kMessages = 64;
  for (int i = 0; i < kMessages; ++i) sender.node.publish("edge;", {text(std::to_string(i)), megabyte()});

  std::deque<Delivered> held;
  for (int i = 0; i < 4; ++i) held.push_back(receiver.log.next<Delivered>());
  // The thread that would hand on more answers this only after it has looked at the subscriber's socket.
  sender.node.publish("edge;", {text("last")});
  receiver.node.send_control("", text("ping"));
  sender.log.next<ControlReceived>();
  CHECK_FALSE(receiver.log.has<Delivered>());

  for (int i = 0; i < kMessages; ++i) {
    if (held.empty()) held.push_back(receiver.log.next<Delivered>());
    CHECK(held.front().message.at(0).text() == std::to_string(i));
    held.pop_front();
  }
  CHECK(receiver.log.next<Delivered>().message.at(0).text() == "last");
}

TEST_CASE("a message larger than the budget is refused with its topic") {
  const Folder folder;
  auto options = TestNode::hub(folder.ipc("control"), folder.ipc("publish"));
  options.publish_budget_bytes = 1000;
  TestNode sender(options);
  CHECK_THAT(failure_of([&] { sender.node.publish("big;", {megabyte()}); }), Contains("\"big;\"") && Contains("1000"));
}

TEST_CASE("publishing to nobody is a SendFailed that names the topic") {
  const Folder folder;
  TestNode sender(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  sender.node.publish("edge;", {text("x")});
  const auto failed = sender.log.next<SendFailed>();
  CHECK(failed.topic == "edge;");
  CHECK(failed.peer.empty());
}

TEST_CASE("what nobody took does not use up the budget") {
  const Folder folder;
  auto options = TestNode::hub(folder.ipc("control"), folder.ipc("publish"));
  options.publish_budget_bytes = 2 << 20;
  TestNode sender(options);
  for (int i = 0; i < 50; ++i) sender.node.publish("edge;", {megabyte()});
  for (int i = 0; i < 50; ++i) sender.log.next<SendFailed>();
  SUCCEED();
}

TEST_CASE("a node without a publisher says so") {
  const Folder folder;
  TestNode node(TestNode::hub(folder.ipc("control")));
  CHECK_THAT(failure_of([&] { node.node.publish("edge;", {}); }), Contains("publishes nothing"));
  CHECK_THAT(failure_of([&] { node.node.publish_endpoint(); }), Contains("publishes nothing"));
}

TEST_CASE("a node's ipc files are its user's alone, and gone when it is") {
  const Folder folder;
  {
    TestNode node(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
    for (const char* name : {"control", "publish"}) {
      struct stat status {};
      REQUIRE(::lstat(folder.file(name).c_str(), &status) == 0);
      CHECK((status.st_mode & 0777) == 0600);
    }
  }
  CHECK_FALSE(std::filesystem::exists(folder.file("control")));
  CHECK_FALSE(std::filesystem::exists(folder.file("publish")));
}

TEST_CASE("a node leaves the file that has taken the place of its own") {
  const Folder folder;
  {
    TestNode node(TestNode::hub(folder.ipc("control")));
    std::filesystem::remove(folder.file("control"));
    std::ofstream(folder.file("control")) << "another's";
  }
  CHECK(std::filesystem::exists(folder.file("control")));
}

TEST_CASE("a node that cannot publish where it was told leaves no control file") {
  const Folder folder;
  CHECK_THROWS_AS(TestNode(TestNode::hub(folder.ipc("control"), folder.ipc("no/folder"))), Error);
  CHECK_FALSE(std::filesystem::exists(folder.file("control")));
}

TEST_CASE("binding leaves the process's umask as it was") {
  const mode_t before = ::umask(022);
  const Folder folder;
  TestNode node(TestNode::hub(folder.ipc("control")));
  CHECK(::umask(before) == 022);
}

TEST_CASE("a node ends within two seconds while messages wait for a stalled subscriber") {
  const Folder folder;
  auto sender = std::make_unique<TestNode>(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  const StalledSubscriber stalled(folder.ipc("publish"), "slow;");
  sender->log.next<SubscriptionOpened>();
  std::vector<std::weak_ptr<const void>> owners;
  for (int i = 0; i < 64; ++i) {
    Frame frame = megabyte();
    owners.emplace_back(frame.owner());
    sender->node.publish("slow;", {std::move(frame)});
  }
  const auto start = std::chrono::steady_clock::now();
  sender.reset();
  CHECK(since(start) < 2s);
  for (const auto& owner : owners) CHECK(owner.expired());
}

TEST_CASE("a node ends within two seconds when what it connected to was never there") {
  const Folder folder;
  auto spoke = std::make_unique<TestNode>(TestNode::spoke(folder.ipc("nobody")));
  spoke->node.send_control("", text("is anybody there?"));
  const auto start = std::chrono::steady_clock::now();
  spoke.reset();
  CHECK(since(start) < 2s);
}

TEST_CASE("an address that is taken is refused by name") {
  const Folder folder;
  const TestNode first(TestNode::hub(folder.ipc("control")));
  CHECK_THAT(failure_of([&] { TestNode(TestNode::hub(folder.ipc("control"))); }),
             Contains(folder.file("control")) && Contains("another process listens"));
  const TestNode tcp(TestNode::hub(Endpoint::parse("tcp://127.0.0.1:*")));
  CHECK_THAT(failure_of([&] { TestNode(TestNode::hub(tcp.node.control_endpoint())); }),
             Contains(tcp.node.control_endpoint().string()) && Contains("in use"));
}

TEST_CASE("a file that is no socket is not replaced by one") {
  const Folder folder;
  std::ofstream(folder.file("notes")) << "precious";
  CHECK_THAT(failure_of([&] { TestNode(TestNode::hub(folder.ipc("notes"))); }), Contains("no socket"));
  CHECK(std::filesystem::file_size(folder.file("notes")) == 8);
}

TEST_CASE("a socket file that a dead process has left is replaced") {
  const Folder folder;
  {
    zmq::context_t context;
    zmq::socket_t owner(context, zmq::socket_type::router);
    owner.bind(folder.ipc("old").string());
    std::filesystem::create_hard_link(folder.file("old"), folder.file("control"));
  }
  REQUIRE(std::filesystem::exists(folder.file("control")));
  TestNode hub(TestNode::hub(folder.ipc("control")));
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  spoke.node.send_control("", text("hello"));
  CHECK(hub.log.next<ControlReceived>().body.text() == "hello");
}

TEST_CASE("a bind that cannot be is refused with what to do") {
  const Folder folder;
  CHECK_THAT(failure_of([&] { TestNode(TestNode::hub(folder.ipc("no/folder/here"))); }),
             Contains("no/folder/here") && Contains("make the folder"));
  CHECK_THAT(failure_of([&] { TestNode(TestNode::hub(Endpoint::parse("tcp://no-such-interface:*"))); }),
             Contains("tcp://no-such-interface:*") && Contains("numeric address"));
}

TEST_CASE("subscribing at an endpoint that only a bind can use is refused") {
  const Folder folder;
  TestNode node(TestNode::hub(folder.ipc("control")));
  CHECK_THROWS_AS(node.node.subscribe(Endpoint::parse("tcp://127.0.0.1:*"), "t;"), Error);
}

TEST_CASE("a node whose thread fails says so, and publishing throws from then on") {
  const Folder folder;
  auto options = TestNode::hub(folder.ipc("control"), folder.ipc("publish"));
  EventLog log;
  Node node(options, [forward = log.handler()](Event event) {
    if (std::holds_alternative<SendFailed>(event)) throw std::runtime_error("the handler broke its promise");
    forward(std::move(event));
  });
  node.send_control("nobody", text("x"));
  CHECK_THAT(log.next<NodeFailed>().reason, Contains("broke its promise"));
  CHECK_THAT(failure_of([&] { node.publish("t;", {text("x")}); }), Contains("broke its promise"));
  node.send_control("nobody", text("into the void"));
}

TEST_CASE("a stranger that speaks in more than one frame is handed on without a body") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  zmq::context_t context;
  zmq::socket_t stranger(context, zmq::socket_type::dealer);
  stranger.set(zmq::sockopt::linger, 0);
  stranger.connect(folder.ipc("control").string());
  stranger.send(zmq::str_buffer("one"), zmq::send_flags::sndmore);
  stranger.send(zmq::str_buffer("two"), zmq::send_flags::none);
  const auto event = hub.log.next<ControlReceived>();
  CHECK(event.body.empty());
  CHECK_FALSE(event.peer.empty());
}

TEST_CASE("who connects hears what the other end said last, and then that its connection has ended") {
  const Folder folder;
  auto hub = std::make_unique<TestNode>(TestNode::hub(folder.ipc("control")));
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  spoke.node.send_control("", text("hello"));
  const auto hello = hub->log.next<ControlReceived>();
  hub->node.send_control(hello.peer, text("bye"));
  hub.reset();
  CHECK(spoke.log.next<ControlReceived>().body.text() == "bye");
  spoke.log.next<ControlLost>();
}

TEST_CASE("a connection that nobody has answered does not end") {
  const Folder folder;
  TestNode spoke(TestNode::spoke(folder.ipc("control")));
  auto hub = std::make_unique<TestNode>(TestNode::hub(folder.ipc("control")));
  spoke.node.send_control("", text("hello"));
  hub->log.next<ControlReceived>();
  CHECK_FALSE(spoke.log.has<ControlLost>());
  hub.reset();
  spoke.log.next<ControlLost>();
}

TEST_CASE("what is sent to a peer whose connection has ended fails as gone") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control")));
  auto spoke = std::make_unique<TestNode>(TestNode::spoke(folder.ipc("control")));
  spoke->node.send_control("", text("hello"));
  const auto peer = hub.log.next<ControlReceived>().peer;
  spoke.reset();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!hub.log.has<SendFailed>() && std::chrono::steady_clock::now() < end) hub.node.send_control(peer, text("?"));
  const auto failed = hub.log.next<SendFailed>();
  CHECK(failed.gone);
  CHECK(failed.peer == peer);
}

TEST_CASE("the socket file of a process that is gone is stale, one that somebody listens at or made is not") {
  const Folder folder;
  const std::string mine = "control.reader." + std::to_string(::getpid());
  const TestNode hub(TestNode::hub(folder.ipc(mine)));
  CHECK_FALSE(is_stale_socket(folder.file(mine)));
  const TestNode other(TestNode::hub(folder.ipc("control.reader.4194305")));  // above the largest pid there is
  CHECK_FALSE(is_stale_socket(folder.file("control.reader.4194305")));
  std::ofstream(folder.file("control.solver.4194305"));
  CHECK(is_stale_socket(folder.file("control.solver.4194305")));
  std::ofstream(folder.file("control"));
  CHECK_FALSE(is_stale_socket(folder.file("control")));
}

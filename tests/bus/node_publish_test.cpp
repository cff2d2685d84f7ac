#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <thread>
#include <zmq.hpp>

#include "base/error.hpp"
#include "bus/topic.hpp"
#include "tests/bus/event_log.hpp"

using namespace std::chrono_literals;
using namespace kvmesh::bus;
using namespace kvmesh::bus::test;

namespace {

/// A publisher and a subscriber, in one process but with nothing shared except the socket between them.
struct Pair {
  Folder folder;
  TestNode sender;
  TestNode receiver;

  explicit Pair(bool tcp = false)
      : sender(
            TestNode::hub(folder.ipc("control"), tcp ? Endpoint::parse("tcp://127.0.0.1:*") : folder.ipc("publish"))),
        receiver(TestNode::spoke(folder.ipc("control"))) {}

  void open(const std::string& topic) {
    receiver.node.subscribe(sender.node.publish_endpoint(), topic);
    while (sender.log.next<SubscriptionOpened>().topic != topic) {
    }
  }
};

/// Bytes that nobody else has, with an owner that can be watched.
struct Payload {
  std::shared_ptr<std::vector<std::byte>> bytes;
  explicit Payload(std::size_t size) : bytes(std::make_shared<std::vector<std::byte>>(size)) {
    for (std::size_t i = 0; i < size; ++i) (*bytes)[i] = static_cast<std::byte>(i * 31 + i / 251);
  }
  Frame frame() const { return Frame(bytes, *bytes); }
};

bool equal(const Frame& frame, const std::vector<std::byte>& bytes) {
  return frame.size() == bytes.size() && std::memcmp(frame.data(), bytes.data(), bytes.size()) == 0;
}

/// Waits for `condition`, which another thread makes true without telling.
template <typename Condition>
bool becomes_true(Condition condition) {
  const auto deadline = kvmesh::Deadline::after(kPatience);
  while (!condition()) {
    if (deadline.expired()) return false;
    std::this_thread::yield();
  }
  return true;
}

/// This process's, and one that is closed again: the listing's own.
std::vector<int> open_descriptors() {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    found.push_back(std::stoi(entry.path().filename().string()));
  return found;
}

/// The send buffers of this process's Unix sockets that bear `path`: of the one that listens or of those it accepted.
std::vector<int> send_buffers(const std::string& path, bool listens) {
  std::vector<int> found;
  for (const int descriptor : open_descriptors()) {
    sockaddr_un name{};
    socklen_t size = sizeof name;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0) continue;
    if (name.sun_family != AF_UNIX || path != name.sun_path) continue;
    int accepts = 0, bytes = 0;
    size = sizeof accepts;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size);
    ::getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, &size);
    if (listens == (accepts != 0)) found.push_back(bytes);
  }
  return found;
}

/// Of this process's TCP connections that were accepted at `port`.
std::vector<std::string> congestion_controls(std::uint16_t port) {
  std::vector<std::string> found;
  for (const int descriptor : open_descriptors()) {
    sockaddr_in here{}, there{};
    socklen_t size = sizeof here;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&here), &size) != 0) continue;
    if (here.sin_family != AF_INET || ntohs(here.sin_port) != port) continue;
    size = sizeof there;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&there), &size) != 0) continue;  // listens
    char name[16] = {};
    size = sizeof name;
    ::getsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, &size);
    found.emplace_back(name);
  }
  return found;
}

void check_whole_message(bool tcp) {
  Pair pair(tcp);
  const std::string topic = edge_topic("m", "a", "b", "kv");
  pair.open(topic);
  const Payload keys(3 << 20);
  const Payload values(100'000);
  pair.sender.node.publish(topic, {text("envelope"), keys.frame(), Frame(), values.frame()});
  const auto got = pair.receiver.log.next<Delivered>();
  CHECK(got.topic == topic);
  REQUIRE(got.message.size() == 4);
  CHECK(got.message[0].text() == "envelope");
  CHECK(equal(got.message[1], *keys.bytes));
  CHECK(got.message[2].empty());
  CHECK(equal(got.message[3], *values.bytes));
}

}  // namespace

TEST_CASE("over TCP a subscriber on the same host is sent to under Reno's congestion control") {
  Pair pair(/*tcp=*/true);
  pair.open(edge_topic("m", "a", "b", "kv"));
  const auto port = static_cast<std::uint16_t>(std::stoi(pair.sender.node.publish_endpoint().port()));
  CHECK(becomes_true([&] { return congestion_controls(port) == std::vector<std::string>{"reno"}; }));
}

TEST_CASE("over ipc a subscriber's connection has a larger send buffer than the kernel gives") {
  Pair pair;
  pair.open(edge_topic("m", "a", "b", "kv"));
  const std::string path = pair.sender.node.publish_endpoint().path();
  const std::vector<int> listener = send_buffers(path, /*listens=*/true);
  REQUIRE(listener.size() == 1);
  CHECK(becomes_true([&] {
    const std::vector<int> accepted = send_buffers(path, /*listens=*/false);
    return accepted.size() == 1 && accepted.front() > listener.front();
  }));
}

TEST_CASE("a published message arrives whole over ipc") { check_whole_message(/*tcp=*/false); }

TEST_CASE("a message is sealed once, before its bytes are read, on a thread of the node's") {
  Pair pair;
  pair.open("edge;");
  const auto head = std::make_shared<std::string>("....");
  std::atomic<int> sealed = 0;
  std::thread::id thread;
  pair.sender.node.publish("edge;", {Frame(head, std::as_bytes(std::span(*head)))}, [&] {
    thread = std::this_thread::get_id();
    *head = "done";
    ++sealed;
  });
  CHECK(pair.receiver.log.next<Delivered>().message.at(0).text() == "done");
  CHECK(sealed == 1);
  CHECK(thread != std::this_thread::get_id());
}

TEST_CASE("a published message arrives whole over tcp") { check_whole_message(/*tcp=*/true); }

TEST_CASE("a wildcard port is resolved") {
  const Pair pair(/*tcp=*/true);
  CHECK(std::stoi(pair.sender.node.publish_endpoint().port()) > 0);
}

TEST_CASE("the sender's bytes are held while they wait and let go once they have left") {
  const Folder folder;
  auto options = TestNode::hub(folder.ipc("control"), folder.ipc("publish"));
  TestNode sender(options);
  // A subscriber that takes nothing off its socket, and room for nothing in between.
  zmq::context_t context;
  zmq::socket_t stalled(context, zmq::socket_type::sub);
  stalled.set(zmq::sockopt::rcvhwm, 1);
  stalled.set(zmq::sockopt::subscribe, "t;");
  stalled.connect(sender.node.publish_endpoint().string());
  sender.log.next<SubscriptionOpened>();

  std::vector<std::weak_ptr<std::vector<std::byte>>> owners;
  constexpr int kMessages = 8;
  for (int i = 0; i < kMessages; ++i) {
    const Payload payload(4 << 20);
    owners.emplace_back(payload.bytes);
    sender.node.publish("t;", {payload.frame()});
  }
  CHECK_FALSE(owners.back().expired());
  for (int i = 0; i < 2 * kMessages; ++i) {
    zmq::message_t part;
    REQUIRE(stalled.recv(part));
  }
  for (const auto& owner : owners) CHECK(becomes_true([&] { return owner.expired(); }));
}

TEST_CASE("messages of one topic arrive in the order of the calls and none is lost once the subscription is reported") {
  for (const bool tcp : {false, true}) {
    Pair pair(tcp);
    pair.open("edge;");
    constexpr int kBurst = 2'000;
    for (int i = 0; i < kBurst; ++i) {
      pair.sender.node.publish("edge;", {text(std::to_string(i)), text(std::string(1'000, 'x'))});
    }
    int in_order = 0;
    while (in_order < kBurst && pair.receiver.log.next<Delivered>().message.at(0).text() == std::to_string(in_order)) {
      ++in_order;
    }
    CHECK(in_order == kBurst);
    CHECK_FALSE(pair.sender.log.has<SendFailed>());
  }
}

TEST_CASE("a subscriber of \"edge\" does not hear \"edge2\"") {
  Pair pair;
  pair.open("edge");
  TestNode other(TestNode::spoke(pair.folder.ipc("control")));
  other.node.subscribe(pair.sender.node.publish_endpoint(), "edge2");
  CHECK(pair.sender.log.next<SubscriptionOpened>().topic == "edge2");
  pair.sender.node.publish("edge2", {text("not for edge")});
  pair.sender.node.publish("edge", {text("for edge")});
  CHECK(pair.receiver.log.next<Delivered>().topic == "edge");
  CHECK_FALSE(pair.receiver.log.has<Delivered>());
  CHECK(other.log.next<Delivered>().topic == "edge2");
}

TEST_CASE("every subscriber is reported, and the loss of the last one") {
  Pair pair;
  pair.open("edge;");
  {
    TestNode second(TestNode::spoke(pair.folder.ipc("control")));
    second.node.subscribe(pair.sender.node.publish_endpoint(), "edge;");
    CHECK(pair.sender.log.next<SubscriptionOpened>().topic == "edge;");
  }
  pair.receiver.node.unsubscribe("edge;");
  CHECK(pair.sender.log.next<SubscriptionClosed>().topic == "edge;");
  CHECK_FALSE(pair.sender.log.has<SubscriptionClosed>());
}

TEST_CASE("a subscriber that dies and comes back is closed and opened again, and hears what follows") {
  const Folder folder;
  TestNode sender(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  for (int life = 0; life < 2; ++life) {
    TestNode receiver(TestNode::spoke(folder.ipc("control")));
    receiver.node.subscribe(folder.ipc("publish"), "edge;");
    sender.log.next<SubscriptionOpened>();
    sender.node.publish("edge;", {text("life " + std::to_string(life))});
    CHECK(receiver.log.next<Delivered>().message.at(0).text() == "life " + std::to_string(life));
  }
  CHECK(sender.log.next<SubscriptionClosed>().topic == "edge;");
}

TEST_CASE("one node hears several publishers") {
  const Folder folder;
  TestNode hub(TestNode::hub(folder.ipc("control"), folder.ipc("first")));
  TestNode spoke(TestNode::spoke(folder.ipc("control"), folder.ipc("second")));
  TestNode receiver(TestNode::spoke(folder.ipc("control")));
  receiver.node.subscribe(folder.ipc("first"), "1;");
  receiver.node.subscribe(folder.ipc("second"), "2;");
  receiver.node.subscribe(folder.ipc("second"), "3;");
  const auto opened = [](TestNode& node, const std::string& topic) {
    while (node.log.next<SubscriptionOpened>().topic != topic) {
    }
  };
  opened(hub, "1;");
  opened(spoke, "3;");
  hub.node.publish("1;", {text("from the hub")});
  CHECK(receiver.log.next<Delivered>().topic == "1;");
  spoke.node.publish("3;", {text("from the spoke")});
  CHECK(receiver.log.next<Delivered>().topic == "3;");
}

TEST_CASE("threads that publish at once lose nothing") {
  Pair pair;
  pair.open("edge;");
  constexpr int kEach = 300;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) pair.sender.node.publish("edge;", {text("x")});
    });
  }
  for (auto& thread : threads) thread.join();
  int received = 0;
  for (; received < 4 * kEach; ++received) pair.receiver.log.next<Delivered>();
  CHECK(received == 4 * kEach);
}

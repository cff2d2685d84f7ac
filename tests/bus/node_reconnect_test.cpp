// Connections between hosts: what keeps them, and what is said when one had to be made anew.

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <catch2/catch.hpp>
#include <set>
#include <utility>

#include "tests/bus/cut_proxy.hpp"
#include "tests/bus/event_log.hpp"

using namespace kvmesh;
using namespace kvmesh::bus;
using namespace kvmesh::bus::test;

namespace {

Endpoint tcp(std::uint16_t port) { return Endpoint::tcp("127.0.0.1", port == 0 ? "*" : std::to_string(port)); }

/// A publisher, a receiver of two of its topics, and a proxy between them.
struct Cuttable {
  TestNode sender{TestNode::hub(tcp(0), tcp(0))};
  CutProxy proxy{static_cast<std::uint16_t>(std::stoi(sender.node.publish_endpoint().port()))};
  TestNode receiver{TestNode::spoke(sender.node.control_endpoint())};

  Cuttable() {
    for (const char* topic : {"m/a/b/kv;", "m/a/b/text;"}) {
      receiver.node.subscribe(tcp(proxy.port()), topic);
      sender.log.next<SubscriptionOpened>();
    }
  }
};

/// Of the connections that this process has over tcp: how many, and how many of them the kernel keeps alive.
std::pair<int, int> tcp_connections() {
  int all = 0, kept = 0;
  for (int descriptor = 0; descriptor < 4'096; ++descriptor) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.ss_family != AF_INET)
      continue;
    int alive = 0, idle = 0;
    socklen_t bytes = sizeof alive;
    ::getsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &alive, &bytes);
    ::getsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &bytes);
    ++all;
    kept += alive != 0 && idle <= 60;
  }
  return {all, kept};
}

}  // namespace

TEST_CASE("a connection that was cut is made anew, and every topic on it is said to be new") {
  Cuttable mesh;
  mesh.sender.node.publish("m/a/b/kv;", {text("before")});
  CHECK(mesh.receiver.log.next<Delivered>().message.at(0).text() == "before");
  CHECK_FALSE(mesh.receiver.log.has<ConnectionRenewed>());
  mesh.proxy.cut();
  const std::set<std::string> renewed{mesh.receiver.log.next<ConnectionRenewed>().topic,
                                      mesh.receiver.log.next<ConnectionRenewed>().topic};
  CHECK(renewed == std::set<std::string>{"m/a/b/kv;", "m/a/b/text;"});
  mesh.sender.log.next<SubscriptionOpened>();
  mesh.sender.log.next<SubscriptionOpened>();
  mesh.sender.node.publish("m/a/b/kv;", {text("after")});
  CHECK(mesh.receiver.log.next<Delivered>().message.at(0).text() == "after");
}

TEST_CASE("connections over tcp are kept alive by the kernel while nothing is said") {
  TestNode hub(TestNode::hub(tcp(0), tcp(0)));
  TestNode spoke(TestNode::spoke(hub.node.control_endpoint(), tcp(0)));
  hub.node.subscribe(spoke.node.publish_endpoint(), "m/a/b/kv;");
  spoke.node.subscribe(hub.node.publish_endpoint(), "m/b/a/kv;");
  hub.log.next<SubscriptionOpened>();
  spoke.log.next<SubscriptionOpened>();
  spoke.node.send_control("", text("here"));
  hub.log.next<ControlReceived>();
  const auto [all, kept] = tcp_connections();
  CHECK(all >= 6);  // three connections, both ends here
  CHECK(kept == all);
}

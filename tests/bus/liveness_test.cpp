#include "bus/liveness.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace std::chrono_literals;
using kvmesh::bus::Liveness;

namespace {
constexpr Liveness::Clock::time_point kStart{1h};

/// A peer that may be silent for 3 s.
Liveness three_seconds() { return Liveness(kStart, Liveness::kInterval, 3s); }
}  // namespace

TEST_CASE("a heartbeat is due at once and then every interval") {
  Liveness peer = three_seconds();
  CHECK(peer.due_to_send(kStart));
  peer.sent(kStart);
  CHECK_FALSE(peer.due_to_send(kStart + 499ms));
  CHECK(peer.due_to_send(kStart + 500ms));
}

TEST_CASE("anything that is sent puts the next heartbeat off") {
  Liveness peer = three_seconds();
  peer.sent(kStart + 400ms);
  CHECK_FALSE(peer.due_to_send(kStart + 899ms));
  CHECK(peer.due_to_send(kStart + 900ms));
}

TEST_CASE("a silent peer is dead after the timeout and not before") {
  const Liveness peer = three_seconds();
  CHECK_FALSE(peer.dead(kStart + 3s - 1ns));
  CHECK(peer.dead(kStart + 3s));
}

TEST_CASE("a peer that is heard lives on") {
  Liveness peer = three_seconds();
  peer.heard(kStart + 2900ms);
  CHECK_FALSE(peer.dead(kStart + 5s));
  CHECK(peer.silence(kStart + 5s) == 2100ms);
  CHECK(peer.dead(kStart + 5900ms));
}

TEST_CASE("sending to a peer does not keep it alive") {
  Liveness peer = three_seconds();
  peer.sent(kStart + 2900ms);
  CHECK(peer.dead(kStart + 3s));
}

TEST_CASE("an old report does not undo a newer one") {
  Liveness peer = three_seconds();
  peer.heard(kStart + 2s);
  peer.heard(kStart + 1s);
  CHECK(peer.silence(kStart + 2s) == 0ms);
  CHECK_FALSE(peer.dead(kStart + 4500ms));
  CHECK(peer.silence(kStart) == 0ms);
}

TEST_CASE("the next wakeup is the earlier of the next heartbeat and the peer's death") {
  Liveness peer = three_seconds();
  peer.sent(kStart);
  CHECK(peer.next_wakeup() == kStart + 500ms);
  peer.sent(kStart + 2800ms);
  CHECK(peer.next_wakeup() == kStart + 3s);
  peer.heard(kStart + 2900ms);
  CHECK(peer.next_wakeup() == kStart + 3300ms);
}

TEST_CASE("woken when it says, an owner never sleeps through a heartbeat or a death") {
  Liveness peer(kStart, 700ms, 2s);
  int heartbeats = 0;
  auto now = kStart;
  while (!peer.dead(now)) {
    if (peer.due_to_send(now)) {
      peer.sent(now);
      ++heartbeats;
    }
    REQUIRE(peer.next_wakeup() > now);
    now = peer.next_wakeup();
  }
  CHECK(heartbeats == 3);
  CHECK(now == kStart + 2s);
}

TEST_CASE("an interval that is not shorter than the timeout is refused") {
  CHECK_THROWS_AS(Liveness(kStart, 3s, 3s), kvmesh::Error);
  CHECK_THROWS_AS(Liveness(kStart, 0s, 3s), kvmesh::Error);
}

TEST_CASE("time in which we did not run ourselves is not the peer's silence") {
  Liveness peer = three_seconds();
  peer.awake(kStart + 500ms);
  peer.awake(kStart + 1s);
  peer.awake(kStart + 61s);  // we were stopped for a minute, and what the peer sent is not read yet
  CHECK_FALSE(peer.dead(kStart + 61s));
  CHECK(peer.silence(kStart + 61s) == 1s);
  CHECK(peer.dead(kStart + 63s));
}

TEST_CASE("waking every interval, the peer's silence counts in full") {
  Liveness peer = three_seconds();
  for (auto now = kStart; now < kStart + 3s; now += 500ms) {
    peer.awake(now);
    CHECK_FALSE(peer.dead(now));
  }
  CHECK(peer.dead(kStart + 3s));
}

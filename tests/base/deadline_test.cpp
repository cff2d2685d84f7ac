#include "base/deadline.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using kvmesh::Deadline;

namespace {
constexpr Deadline::Clock::time_point kStart{1h};
}

TEST_CASE("time left is rounded up, so that a wait of that length never ends too early") {
  const auto deadline = Deadline::after(1500us, kStart);
  CHECK(deadline.remaining(kStart) == 2ms);
  CHECK(deadline.remaining(kStart + 500us) == 1ms);
  CHECK(deadline.remaining(kStart + 1499us) == 1ms);
}

TEST_CASE("time left is never negative") {
  const auto deadline = Deadline::after(1ms, kStart);
  CHECK(deadline.remaining(kStart + 1ms) == 0ms);
  CHECK(deadline.remaining(kStart + 1h) == 0ms);
}

TEST_CASE("a deadline expires at its moment and not before") {
  const auto deadline = Deadline::at(kStart + 10ms);
  CHECK_FALSE(deadline.expired(kStart + 10ms - 1ns));
  CHECK(deadline.expired(kStart + 10ms));
  CHECK(deadline.when() == kStart + 10ms);
}

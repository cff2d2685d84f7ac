#include "bus/detail/byte_budget.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "base/error.hpp"
#include "tests/bus/event_log.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using kvmesh::Deadline;
using kvmesh::Error;
using kvmesh::ErrorKind;
using kvmesh::bus::detail::ByteBudget;

namespace {

ErrorKind kind_of_failure(ByteBudget& budget, std::size_t bytes, Deadline deadline) {
  try {
    budget.take(bytes, "t;", deadline);
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Contains("\"t;\""));
    return error.kind();
  }
  FAIL("the budget gave room");
  return ErrorKind::kGiveUp;
}

}  // namespace

TEST_CASE("a budget is given back by the last holder of a charge") {
  const auto budget = std::make_shared<ByteBudget>(10);
  auto charge = budget->take(7, "t;", Deadline::after(0ms));
  auto other = charge;
  charge.reset();
  CHECK(budget->in_use() == 7);
  other.reset();
  CHECK(budget->in_use() == 0);
}

TEST_CASE("a full budget makes wait until the deadline and then says retry") {
  const auto budget = std::make_shared<ByteBudget>(10);
  const auto charge = budget->take(7, "t;", Deadline::after(0ms));
  const auto deadline = Deadline::after(20ms);
  CHECK(kind_of_failure(*budget, 4, deadline) == ErrorKind::kRetry);
  CHECK(deadline.expired());
  CHECK(budget->in_use() == 7);
}

TEST_CASE("what is larger than the whole budget is refused at once") {
  const auto budget = std::make_shared<ByteBudget>(10);
  CHECK(kind_of_failure(*budget, 11, Deadline::after(kvmesh::bus::test::kPatience)) == ErrorKind::kFixInput);
  CHECK(budget->take(10, "t;", Deadline::after(0ms)) != nullptr);
}

TEST_CASE("one that waits gets the room that another gives back") {
  const auto budget = std::make_shared<ByteBudget>(10);
  auto charge = budget->take(10, "t;", Deadline::after(0ms));
  auto waiting = std::async(std::launch::async, [&] {
    return budget->take(5, "t;", Deadline::after(kvmesh::bus::test::kPatience)) != nullptr;
  });
  charge.reset();
  CHECK(waiting.get());
}

TEST_CASE("a closed budget turns away those that wait, with the first reason") {
  const auto budget = std::make_shared<ByteBudget>(10);
  const auto charge = budget->take(10, "t;", Deadline::after(0ms));
  auto waiting = std::async(std::launch::async, [&] {
    try {
      budget->take(5, "t;", Deadline::after(kvmesh::bus::test::kPatience));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("room");
  });
  budget->close("the thread failed");
  budget->close("the node is closing");
  CHECK_THAT(waiting.get(), Contains("the thread failed"));
}

#include "bus/detail/departures.hpp"

#include <catch2/catch.hpp>

#include <utility>

#include "tests/bus/event_log.hpp"

using kvmesh::bus::detail::Departures;
using kvmesh::bus::detail::Outstanding;
using kvmesh::bus::test::text;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Scene {
  int wakes = 0;
  Departures departures{[this] { ++wakes; }};
  std::vector<std::shared_ptr<const void>> out;  ///< what ZeroMQ has

  void add(const std::string& topic, const std::string& name, std::size_t bytes) {
    departures.add({.topic = topic, .message = {text(name)}, .seal = nullptr, .keeps = nullptr, .bytes = bytes});
  }
  /// The name of the next message that leaves; "" for none.
  std::string next() {
    auto departure = departures.next();
    if (!departure) return "";
    out.push_back(std::move(departure->keeps));
    return std::string(departure->message.front().text());
  }
  void arrives(std::size_t number) { out.at(number).reset(); }
};

}  // namespace

TEST_CASE("messages leave in the order in which they were published until the window is full") {
  Scene scene;
  for (const char* name : {"1", "2", "3"}) scene.add("a;", name, 4 * kMiB);
  CHECK(scene.next() == "1");
  CHECK(scene.next() == "2");
  CHECK(scene.next().empty());
  CHECK(scene.wakes == 0);
}

TEST_CASE("when half of the window is free again whoever waits is woken, once, and the next message leaves") {
  Scene scene;
  for (const char* name : {"1", "2", "3", "4", "5"}) scene.add("a;", name, 2 * kMiB);
  while (!scene.next().empty()) {
  }
  REQUIRE(scene.out.size() == 4);
  scene.arrives(0);
  CHECK(scene.wakes == 0);
  scene.arrives(1);
  CHECK(scene.wakes == 1);
  scene.arrives(2);
  CHECK(scene.wakes == 1);
  CHECK(scene.next() == "5");
}

TEST_CASE("nobody is woken while nothing waits") {
  Scene scene;
  scene.add("a;", "1", 8 * kMiB);
  CHECK(scene.next() == "1");
  CHECK(scene.next().empty());
  scene.arrives(0);
  CHECK(scene.wakes == 0);
}

TEST_CASE("of messages of a mebibyte four are under way, of small ones four mebibytes") {
  using Case = std::pair<std::size_t, int>;
  const auto [bytes, expected] = GENERATE(Case{kMiB / 2, 8}, Case{kMiB, 4}, Case{2 * kMiB, 4});
  Scene scene;
  for (int i = 0; i < 20; ++i) scene.add("a;", "message", bytes);
  int left = 0;
  while (!scene.next().empty()) ++left;
  CHECK(left == expected);
}

TEST_CASE("a topic may send although another has filled its window, and each is woken for") {
  Scene scene;
  scene.add("slow;", "1", 8 * kMiB);
  scene.add("slow;", "2", 1);
  scene.add("quick;", "3", 2 * kMiB);
  scene.add("quick;", "4", 8 * kMiB);
  CHECK(scene.next() == "1");
  CHECK(scene.next() == "3");
  CHECK(scene.next().empty());
  scene.arrives(1);
  CHECK(scene.wakes == 1);
  CHECK(scene.next() == "4");
  CHECK(scene.next().empty());
  scene.arrives(0);
  CHECK(scene.wakes == 2);
  CHECK(scene.next() == "2");
}

TEST_CASE("a message larger than the window leaves once nothing of its topic is under way") {
  Scene scene;
  scene.add("a;", "1", 1);
  scene.add("a;", "2", 100 * kMiB);
  CHECK(scene.next() == "1");
  CHECK(scene.next().empty());
  scene.arrives(0);
  CHECK(scene.wakes == 1);
  CHECK(scene.next() == "2");
}

TEST_CASE("of several topics the oldest message leaves first") {
  Scene scene;
  scene.add("b;", "1", 1);
  scene.add("a;", "2", 1);
  scene.add("b;", "3", 1);
  CHECK(scene.next() == "1");
  CHECK(scene.next() == "2");
  CHECK(scene.next() == "3");
}

TEST_CASE("at the end all that waits can be had in order, whatever is under way") {
  Scene scene;
  for (const char* name : {"1", "2", "3"}) scene.add("a;", name, 8 * kMiB);
  CHECK(scene.next() == "1");
  CHECK(scene.departures.next_of_all()->message.front().text() == "2");
  CHECK(scene.departures.next_of_all()->message.front().text() == "3");
  CHECK_FALSE(scene.departures.next_of_all());
}

TEST_CASE("what a message keeps is let go with the message, also after the departures are gone") {
  const auto charge = std::make_shared<int>(1);
  std::shared_ptr<const void> keeps;
  {
    Departures departures([] {});
    departures.add({.topic = "a;", .message = {text("1")}, .seal = nullptr, .keeps = charge, .bytes = 1});
    keeps = departures.next()->keeps;
  }
  CHECK(charge.use_count() == 2);
  keeps.reset();
  CHECK(charge.use_count() == 1);
}

TEST_CASE("bytes are outstanding until the last copy of their token is gone") {
  const auto outstanding = std::make_shared<Outstanding>([] {});
  auto token = outstanding->take(5);
  auto copy = token;
  token.reset();
  CHECK(outstanding->bytes() == 5);
  copy.reset();
  CHECK(outstanding->bytes() == 0);
}

TEST_CASE("who asks to be woken at a number of bytes that is not exceeded is told so, and not woken") {
  int wakes = 0;
  const auto outstanding = std::make_shared<Outstanding>([&] { ++wakes; });
  auto token = outstanding->take(5);
  CHECK_FALSE(outstanding->wake_at(5));
  CHECK(outstanding->wake_at(4));
  token.reset();
  CHECK(wakes == 1);
}

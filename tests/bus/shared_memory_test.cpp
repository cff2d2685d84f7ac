// Frames through shared memory: what arrives, what is bounded, what is left behind.

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "bus/detail/shared_arena.hpp"
#include "bus/detail/shared_view.hpp"
#include "bus/memory_host.hpp"
#include "tests/bus/event_log.hpp"

using namespace std::chrono_literals;
using namespace kvmesh;
using namespace kvmesh::bus;
using namespace kvmesh::bus::test;
using detail::SharedArena;
using detail::SharedViews;

namespace {

constexpr std::size_t kBig = 512 * 1024;
/// Frames of that size of which copies may be out.
constexpr std::size_t kMostBig = SharedArena::kCopyBytes / kBig;

Frame big_frame(char fill, std::size_t bytes = kBig) { return Frame::from_string(std::string(bytes, fill)); }

Deadline soon() { return Deadline::after(kPatience); }

/// What stands in /dev/shm.
std::set<std::string> names_in_shared_memory() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) names.insert(entry.path().filename());
  return names;
}

/// Arenas that this process has open: a memfd each.
int open_arenas() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code closed;  // the descriptor of this very listing
    count += std::filesystem::read_symlink(entry.path(), closed).string().starts_with("/memfd:kvmesh");
  }
  return count;
}

/// A publisher of two shared topics and their receivers, with real sockets between.
struct Mesh {
  Folder folder;
  TestNode sender, first, second;

  explicit Mesh(std::chrono::milliseconds send_deadline = kPatience)
      : sender(NodeOptions{.control = folder.ipc("control"),
                           .bind_control = true,
                           .publish = folder.ipc("publish"),
                           .send_deadline = send_deadline}),
        first(TestNode::spoke(folder.ipc("control"))),
        second(TestNode::spoke(folder.ipc("control"))) {
    sender.node.share_memory({"m/a/b/kv;", "m/a/c/kv;"});
    first.node.subscribe(sender.node.publish_endpoint(), "m/a/b/kv;", /*shared_memory=*/true);
    second.node.subscribe(sender.node.publish_endpoint(), "m/a/c/kv;", /*shared_memory=*/true);
    sender.log.next<SubscriptionOpened>();
    sender.log.next<SubscriptionOpened>();
  }
};

}  // namespace

TEST_CASE("a message through shared memory arrives as it was, large frames, small ones and empty ones") {
  Mesh mesh;
  const Frame big = big_frame('k');
  mesh.sender.node.publish("m/a/b/kv;", {text("envelope"), big, text("small"), Frame(), big_frame('v', 3 << 20)});
  const Delivered got = mesh.first.log.next<Delivered>();
  CHECK(got.problem.empty());
  REQUIRE(got.message.size() == 5);
  CHECK(got.message[0].text() == "envelope");
  CHECK(got.message[1].text() == big.text());
  CHECK(got.message[2].text() == "small");
  CHECK(got.message[3].empty());
  CHECK(got.message[4].text() == big_frame('v', 3 << 20).text());
}

TEST_CASE("what goes to two receivers is copied once") {
  SharedArena arena({"x;", "y;"});
  SharedViews x, y;
  const Frame payload = big_frame('k');
  const Message to_x = x.open(arena.share("x;", {text("e"), payload}, soon()).message);
  const Message to_y = y.open(arena.share("y;", {text("e"), payload}, soon()).message);
  // Two mappings of one slot: the same offset behind their pages.
  const auto offset = [](const Frame& frame) { return reinterpret_cast<std::uintptr_t>(frame.data()) % 65536; };
  CHECK(offset(to_x[1]) == offset(to_y[1]));
  CHECK(to_y[1].text() == payload.text());
}

TEST_CASE("an arena is open to its user alone, has no name, and is gone when nobody has it") {
  const auto before = names_in_shared_memory();
  {
    SharedArena arena({"x;"});
    SharedViews x;
    CHECK(x.open(arena.share("x;", {text("e"), big_frame('k')}, soon()).message).size() == 2);
    CHECK(names_in_shared_memory() == before);
    CHECK(open_arenas() == 2);
    struct stat status {};
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code closed;
      if (!std::filesystem::read_symlink(entry.path(), closed).string().starts_with("/memfd:kvmesh")) continue;
      REQUIRE(::stat(entry.path().c_str(), &status) == 0);
      CHECK((status.st_mode & 0777) == 0600);
    }
  }
  CHECK(open_arenas() == 0);
}

TEST_CASE("a sender that is killed before anybody mapped its arena leaves nothing") {
  const auto before = names_in_shared_memory();
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t sender = ::fork();
  if (sender == 0) {
    SharedArena arena({"x;"});
    const Message message = arena.share("x;", {text("e"), big_frame('k')}, soon()).message;
    [[maybe_unused]] const auto written = ::write(ready[1], message.back().text().data(), message.back().text().size());
    for (;;) ::pause();
  }
  char trailer[256];
  const ssize_t size = ::read(ready[0], trailer, sizeof trailer);
  REQUIRE(size > 0);
  ::kill(sender, SIGKILL);
  REQUIRE(::waitpid(sender, nullptr, 0) == sender);
  CHECK(names_in_shared_memory() == before);
  SharedViews late;
  CHECK_THROWS_WITH(late.open(
                        {text("e"), Frame(), Frame::from_string(std::string(trailer, static_cast<std::size_t>(size)))}),
                    Catch::Contains("the sender has ended"));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("another arena behind the same descriptor is not taken for the one that a message names") {
  auto arena = std::make_unique<SharedArena>(std::vector<std::string>{"x;"});
  const Message old = arena->share("x;", {text("e"), big_frame('k')}, soon()).message;
  arena.reset();
  SharedArena next({"x;"});
  SharedViews views;
  CHECK_THROWS_WITH(views.open(old), Catch::Contains("is not the arena that the message names"));
}

TEST_CASE("memory can be taken while a message waits for a receiver that does not keep up") {
  SharedArena arena({"x;"});
  for (std::size_t i = 0; i < kMostBig; ++i) arena.share("x;", {text("e"), big_frame('k')}, soon());
  std::atomic<bool> waiting = true;
  std::string end;
  std::thread sender([&] {
    try {
      arena.share("x;", {text("e"), big_frame('k')}, Deadline::after(3s));
    } catch (const Error& error) {
      end = error.what();
    }
    waiting = false;
  });
  std::chrono::steady_clock::duration longest{};
  while (waiting) {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(arena.take(kBig));
    longest = std::max(longest, std::chrono::steady_clock::now() - begin);
  }
  sender.join();
  CHECK_THAT(end, Catch::Contains("still held"));
  CHECK(longest < 2s);
}

TEST_CASE("a message that finds no room in the publish budget keeps no ticket and no memory") {
  Folder folder;
  TestNode sender(NodeOptions{.control = folder.ipc("control"),
                              .bind_control = true,
                              .publish = folder.ipc("publish"),
                              .publish_budget_bytes = 64,
                              .send_deadline = 20ms});
  sender.node.share_memory({"m/a/b/kv;"});
  std::shared_ptr<std::byte> place = sender.node.take_shared_memory(kBig);
  const std::weak_ptr<std::byte> memory = place;
  CHECK_THROWS_AS(sender.node.publish("m/a/b/kv;", {text(std::string(100, 'e')), Frame(place, {place.get(), kBig})}),
                  Error);
  place.reset();
  CHECK(memory.expired());
}

TEST_CASE("a receiver that never lets go of copies holds up the sender, which then says so by topic") {
  SharedArena arena({"x;"});
  SharedViews views;
  std::vector<Message> kept;
  for (std::size_t i = 0; i < kMostBig; ++i)
    kept.push_back(views.open(arena.share("x;", {text("e"), big_frame('k')}, soon()).message));
  CHECK_THROWS_WITH(arena.share("x;", {text("e"), big_frame('k')}, Deadline::after(20ms)),
                    Catch::Contains("\"x;\"") && Catch::Contains("places of shared memory are still held"));
  kept.pop_back();  // one comes back
  CHECK_NOTHROW(arena.share("x;", {text("e"), big_frame('k')}, soon()));
}

TEST_CASE("a receiver that never returns tickets holds up a sender whose frames need no copy, too") {
  SharedArena arena({"x;"});
  const std::shared_ptr<std::byte> place = arena.take(kBig);
  const Frame frame(place, {place.get(), kBig});
  for (std::uint32_t i = 0; i < detail::kTickets; ++i) arena.share("x;", {text("e"), frame}, soon());
  CHECK_THROWS_WITH(arena.share("x;", {text("e"), frame}, Deadline::after(20ms)),
                    Catch::Contains("\"x;\"") && Catch::Contains("tickets of shared memory are still held"));
}

TEST_CASE("a frame that stands in shared memory leaves without a copy") {
  SharedArena arena({"x;", "y;"});
  SharedViews x, y;
  const std::shared_ptr<std::byte> place = arena.take(kBig);
  REQUIRE(place);
  std::memset(place.get(), 'k', kBig);
  const Frame frame(place, {place.get() + 64, kBig - 64});  // from its middle
  const Message to_x = x.open(arena.share("x;", {text("e"), frame}, soon()).message);
  const Message to_y = y.open(arena.share("y;", {text("e"), frame}, soon()).message);
  CHECK(to_x[1].size() == kBig - 64);
  CHECK(to_x[1].text().front() == 'k');
  place.get()[64] = std::byte{'z'};  // which nobody may do; here it shows that these are the same bytes
  CHECK(to_x[1].text().front() == 'z');
  CHECK(to_y[1].text().front() == 'z');
}

TEST_CASE("memory of shared frames is free when the sender and every receiver have let go, and not before") {
  SharedArena arena({"x;"});
  SharedViews x;
  std::shared_ptr<std::byte> place = arena.take(kBig);
  const std::byte* const first = place.get();
  Message held = x.open(arena.share("x;", {text("e"), Frame(place, {place.get(), kBig})}, soon()).message);
  place.reset();
  CHECK(arena.take(kBig).get() != first);
  held.clear();
  CHECK(arena.take(kBig).get() == first);
}

TEST_CASE("an arena grows with what is taken, up to its bound, and a receiver reads what it grew by") {
  SharedArena arena({"x;"});
  SharedViews x;
  x.open(arena.share("x;", {text("e"), big_frame('k')}, soon()).message);  // mapped while it is small
  constexpr std::size_t kMore = 2 * SharedArena::kCopyBytes;
  const std::shared_ptr<std::byte> place = arena.take(kMore);
  REQUIRE(place);
  const std::span<const std::byte> end(place.get() + kMore - kBig, kBig);
  std::memset(place.get() + kMore - kBig, 'e', kBig);
  CHECK(x.open(arena.share("x;", {text("e"), Frame(place, end)}, soon()).message)[1].text().back() == 'e');
  CHECK(arena.take(detail::kArenaBytes) == nullptr);
}

TEST_CASE("memory that was taken outlives its node") {
  std::shared_ptr<std::byte> place;
  {
    Mesh mesh;
    place = mesh.sender.node.take_shared_memory(kBig);
    REQUIRE(place);
  }
  std::memset(place.get(), 'k', kBig);
  CHECK(open_arenas() == 1);
  place.reset();
  CHECK(open_arenas() == 0);
}

TEST_CASE("a sender that waits for room goes on as soon as some is returned") {
  Mesh mesh;
  std::vector<Delivered> kept;
  for (std::size_t i = 0; i < kMostBig; ++i) {
    mesh.sender.node.publish("m/a/b/kv;", {text("e"), big_frame('k')});
    kept.push_back(mesh.first.log.next<Delivered>());
  }
  std::thread publisher([&] { mesh.sender.node.publish("m/a/b/kv;", {text("e"), big_frame('z')}); });
  kept.clear();
  publisher.join();
  CHECK(mesh.first.log.next<Delivered>().message.at(1).text().front() == 'z');
}

TEST_CASE("what a receiver held that is gone is free") {
  SharedArena arena({"x;", "y;"});
  for (std::size_t i = 0; i < kMostBig; ++i) arena.share("x;", {text("e"), big_frame('k')}, soon());
  arena.drop("x;");
  CHECK_NOTHROW(arena.share("y;", {text("e"), big_frame('k')}, Deadline::after(0ms)));
}

TEST_CASE("memory that cannot be reserved is an error that names the place and the way out, not a signal") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit little{.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
  std::string what;
  try {
    SharedArena arena({"x;"});
  } catch (const Error& error) {
    what = error.what();
  }
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK_THAT(what, Catch::Contains("shared memory") && Catch::Contains("transport: zmq"));
  CHECK(open_arenas() == 0);
}

TEST_CASE("without memory to share a node's messages still arrive, over the socket") {
  Mesh mesh;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  Folder folder;
  TestNode sender(TestNode::hub(folder.ipc("control"), folder.ipc("publish")));
  TestNode receiver(TestNode::spoke(folder.ipc("control")));
  const rlimit little{.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
  CHECK_THROWS_AS(sender.node.share_memory({"m/a/b/kv;"}), Error);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  receiver.node.subscribe(sender.node.publish_endpoint(), "m/a/b/kv;", /*shared_memory=*/true);
  sender.log.next<SubscriptionOpened>();
  sender.node.publish("m/a/b/kv;", {text("e"), big_frame('k')});
  CHECK(receiver.log.next<Delivered>().message.at(1).text() == big_frame('k').text());
}

TEST_CASE("a trailer that lies is refused: another's ticket, bytes beyond the file, too many frames, no arena") {
  SharedArena arena({"x;", "y;"});
  SharedViews views;
  const auto edited = [&](std::size_t at, auto value) {
    Message message = arena.share("x;", {text("e"), big_frame('k')}, soon()).message;
    std::string trailer(message.back().text());
    std::memcpy(trailer.data() + at, &value, sizeof value);
    message.back() = Frame::from_string(trailer);
    return message;
  };
  using Number = std::uint32_t;
  constexpr std::size_t kEntry = sizeof(detail::TrailerHead);
  views.open(arena.share("x;", {text("e")}, soon()).message);  // mapped as x
  arena.share("y;", {text("e"), big_frame('y')}, soon());
  CHECK_THROWS_WITH(views.open(edited(8, Number{0})), Catch::Contains("ticket 0 is not ours"));  // y's
  CHECK_THROWS_WITH(views.open(edited(8, Number{70'000})), Catch::Contains("not ours"));
  CHECK_THROWS_WITH(views.open(edited(kEntry + 8, std::uint64_t{1} << 29)), Catch::Contains("are not in"));
  CHECK_THROWS_WITH(views.open(edited(kEntry + 8, ~std::uint64_t{0})), Catch::Contains("are not in"));
  CHECK_THROWS_WITH(views.open(edited(kEntry + 16, ~std::uint64_t{0})), Catch::Contains("are not in"));
  CHECK_THROWS_WITH(views.open(edited(kEntry, std::uint64_t{7})), Catch::Contains("damaged"));
  CHECK_THROWS_WITH(views.open(edited(0, Number{70'000})), Catch::Contains("damaged"));
  CHECK_THROWS_WITH(views.open(edited(4, Number{40})), Catch::Contains("damaged"));
  for (const char* name : {"/etc", "1/2", "1/2/x", "1/2/3/", "../1/2", "1//3", "1/2/3 "})
    CHECK_THROWS_WITH(views.open({text("e"), Frame::from_string(std::string(12, '\0') + name)}),
                      Catch::Contains("names no arena"));
  CHECK_THROWS_WITH(views.open({text("e"), text("x")}), Catch::Contains("without a trailer"));
}

TEST_CASE("two processes of one user on one host can share memory") {
  CHECK_FALSE(memory_host().empty());
  CHECK(memory_host() == memory_host());
}

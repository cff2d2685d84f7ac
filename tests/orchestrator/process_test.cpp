#include "orchestrator/process.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <cerrno>
#include <optional>
#include <thread>

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using kvmesh::orchestrator::test::Folder;
using Clock = std::chrono::steady_clock;

namespace {

/// A shell that runs `script`, and how it ended. dash forks even for the last command of a script: where the shell
/// itself is to be ended, the script says exec, or its orphan would hold our standard error.
class Child {
 public:
  explicit Child(const std::string& script)
      : process_(loop_, "/bin/sh", {"-c", script}, [this](ProcessExit exit) { exit_ = exit; }) {}

  ChildProcess& process() { return process_; }
  bool await_exit(std::chrono::seconds patience = 20s) {
    const auto deadline = Clock::now() + patience;
    while (!exit_ && Clock::now() < deadline) loop_.run_one_for(100ms);
    return exit_.has_value();
  }
  ProcessExit exit() const { return *exit_; }

 private:
  boost::asio::io_context loop_;
  std::optional<ProcessExit> exit_;
  ChildProcess process_;
};

bool gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

/// Waits until a file says something, which a script writes with one move.
std::string await_text(const std::filesystem::path& file) {
  for (const auto deadline = Clock::now() + 20s; Clock::now() < deadline; std::this_thread::yield()) {
    std::ifstream in(file);
    std::string text;
    if (std::getline(in, text)) return text;
  }
  return {};
}

}  // namespace

TEST_CASE("a child's exit status is reported and the child reaped") {
  Child child("exit 7");
  REQUIRE(child.await_exit());
  CHECK(child.exit() == ProcessExit{.killed = false, .code = 7});
  CHECK(describe(child.exit()) == "exited with status 7");
  CHECK_FALSE(child.process().running());
  CHECK(gone(child.process().pid()));
}

TEST_CASE("a child's death by a signal is told from an exit") {
  Child child("kill -9 $$");
  REQUIRE(child.await_exit());
  CHECK(child.exit() == ProcessExit{.killed = true, .code = SIGKILL});
  CHECK(describe(child.exit()) == "was killed by signal 9");
}

TEST_CASE("stop ends a child that listens at once") {
  Child child("exec sleep 60");
  const auto begin = Clock::now();
  child.process().stop();
  REQUIRE(child.await_exit());
  CHECK(child.exit() == ProcessExit{.killed = true, .code = SIGTERM});
  CHECK(Clock::now() - begin < 1900ms);
}

TEST_CASE("stop kills a child that does not listen, after the grace") {
  const Folder folder;
  const auto file = folder.file("ready");
  Child child("trap '' TERM; echo yes > " + file.string() + "; while :; do sleep 0.1; done");
  REQUIRE(await_text(file) == "yes");
  const auto begin = Clock::now();
  child.process().stop();
  REQUIRE(child.await_exit());
  CHECK(child.exit() == ProcessExit{.killed = true, .code = SIGKILL});
  CHECK(Clock::now() - begin >= ChildProcess::kGrace);
}

TEST_CASE("a child that nobody waits for any more is killed and reaped") {
  pid_t pid = 0;
  {
    Child child("exec sleep 60");
    pid = child.process().pid();
  }
  CHECK(gone(pid));
}

TEST_CASE("a child hears of waiting threads and has a process group of its own") {
  const Folder folder;
  const auto file = folder.file("said");
  Child child("echo $OMP_WAIT_POLICY > " + file.string());
  const pid_t group = ::getpgid(child.process().pid());
  CHECK((group == child.process().pid() || group == -1));  // -1: it is gone already
  REQUIRE(child.await_exit());
  CHECK(await_text(file) == "PASSIVE");
}

TEST_CASE("a child ends with the thread that started it, however that ends") {
  const Folder folder;
  const auto file = folder.file("pid");
  const pid_t parent = ::fork();
  REQUIRE(parent >= 0);
  if (parent == 0) {
    // No assertion here: this is another process.
    boost::asio::io_context loop;
    ChildProcess child(loop, "/bin/sh", {"-c", "echo $$ > " + file.string() + "; exec sleep 60"}, {});
    ::pause();
    ::_exit(0);
  }
  const std::string text = await_text(file);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  REQUIRE_FALSE(text.empty());
  const pid_t orphan = std::stoi(text);
  const auto running = [orphan] {
    // Whoever adopts it may be slow to reap: a zombie does not run any more.
    std::ifstream stat("/proc/" + std::to_string(orphan) + "/stat");
    std::string pid, name, state;
    return static_cast<bool>(stat >> pid >> name >> state) && state != "Z";
  };
  const auto deadline = Clock::now() + 20s;
  while (running() && Clock::now() < deadline) std::this_thread::yield();
  CHECK_FALSE(running());
}

TEST_CASE("a program that is not there is named") {
  boost::asio::io_context loop;
  CHECK_THROWS_WITH(ChildProcess(loop, "/nowhere/kvmesh", {}, {}), Contains("/nowhere/kvmesh"));
}

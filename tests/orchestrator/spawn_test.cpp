#include <signal.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "orchestrator/orchestrator.hpp"
#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Clock = std::chrono::steady_clock;

namespace {

const nlohmann::json kRecord{{"id", "q3"}};

/// Two agents without edges, "first" and one that is called as it behaves.
Topology topology(const Folder& folder, const std::string& second) {
  return folder.parse(head() + "agents:\n  first: {model: tiny, prompt: x, generate: {}}\n  " + second +
                      ": {model: tiny, prompt: x}\noutput: " + second + "\n");
}

OrchestratorOptions options() { return {.bind = std::nullopt, .spawn = true, .program = KVMESH_FAKE_AGENT}; }

bool gone(const std::string& pid) { return ::kill(std::stoi(pid), 0) != 0 && errno == ESRCH; }

template <typename Action>
std::string failure_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("agents run as processes of their own and none is left") {
  const Folder folder;
  Orchestrator mesh(topology(folder, "second"), options());
  mesh.start();
  const RecordOutcome outcome = mesh.run(kRecord, 0);
  REQUIRE(outcome.answers.size() == 2);
  CHECK(outcome.answers.at("first") != outcome.answers.at("second"));
  CHECK_FALSE(gone(outcome.answers.at("first")));
  const std::filesystem::path socket = mesh.endpoint().path();
  CHECK((std::filesystem::status(socket.parent_path()).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms::owner_all);
  mesh.stop();
  CHECK(gone(outcome.answers.at("first")));
  CHECK(gone(outcome.answers.at("second")));
  CHECK_FALSE(std::filesystem::exists(socket));
}

TEST_CASE("the private folder goes away with the orchestrator") {
  const Folder folder;
  std::filesystem::path place;
  {
    Orchestrator mesh(topology(folder, "second"), options());
    place = std::filesystem::path(mesh.endpoint().path()).parent_path();
    CHECK(std::filesystem::exists(place));
  }
  CHECK_FALSE(std::filesystem::exists(place));
}

TEST_CASE("a killed agent ends the run within five seconds, by name, signal and record") {
  const Folder folder;
  Orchestrator mesh(topology(folder, "killed"), options());
  mesh.start();
  const auto begin = Clock::now();
  const std::string failure = failure_of([&] { mesh.run(kRecord, 0); });
  CHECK_THAT(failure, Catch::Matchers::Matches(
                          "agent killed \\(pid [0-9]+\\) was killed by signal 9 while working on record q3"));
  mesh.stop();
  CHECK(Clock::now() - begin < 5s);
}

TEST_CASE("an agent that exits at its start is named with its status") {
  const Folder folder;
  Orchestrator mesh(topology(folder, "exits"), options());
  CHECK_THAT(failure_of([&] { mesh.start(); }), Contains("agent exits (pid") && Contains("exited with status 9"));
}

TEST_CASE("an agent that ignores SIGTERM is killed") {
  const Folder folder;
  Deadlines deadlines;
  deadlines.record = 200ms;
  OrchestratorOptions impatient = options();
  impatient.deadlines = deadlines;
  Orchestrator mesh(topology(folder, "deaf"), impatient);
  mesh.start();
  CHECK(mesh.run(kRecord, 0).error);
  const auto begin = Clock::now();
  mesh.stop();
  CHECK(Clock::now() - begin < 5s);
}

TEST_CASE("a program that is not there is named before anything is bound") {
  const Folder folder;
  OrchestratorOptions wrong = options();
  wrong.program = "/nowhere/kvmesh";
  CHECK_THROWS_WITH(Orchestrator(topology(folder, "second"), wrong), Contains("/nowhere/kvmesh"));
}

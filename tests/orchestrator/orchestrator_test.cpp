#include "orchestrator/orchestrator.hpp"

#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>

#include "fake_agent.hpp"
#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

/// An agent that does as it should: the reader reports its edge, everybody scores when asked, answers name the prompt.
Behaviour good(const std::string& name) {
  return {.manifest = wire::to_json(manifest()), .answer = [name](const bus::Task& task) {
            bus::Result result{.request = task.request};
            if (name == "reader") result.edges = {{"reader", "solver", "kv", "2 of 8 + layer 0", 77}};
            if (task.generate) result.answer = "re: " + task.prompt.at(0).text;
            if (task.calibrate && name == "solver") {
              result.scores = {{"reader", "solver", {1.0 + static_cast<double>(task.prompt.at(0).text.size()), 0.5}}};
            }
            return bus::Control(result);
          }};
}

json record(const std::string& id, const std::string& question) {
  return {{"id", id}, {"context", "c"}, {"question", question}};
}

/// reader -> solver over real sockets, with agents that run in threads of this process.
class Mesh {
 public:
  explicit Mesh(const std::string& options = "medium: kv, layers: all", Deadlines deadlines = {}, int concurrency = 1)
      : topology_(folder_.parse(pair(options))), orchestrator_(topology_, options_of(deadlines, concurrency)) {}

  void join(const std::string& name, Behaviour behaviour) {
    agents_.push_back(std::make_unique<FakeAgent>(name, orchestrator_.endpoint(), std::move(behaviour)));
  }
  /// Both agents as they should be, but for a change of the solver.
  void start(const std::function<void(Behaviour&)>& change = {}) {
    join("reader", good("reader"));
    Behaviour solver = good("solver");
    if (change) change(solver);
    join("solver", solver);
    orchestrator_.start();
  }
  FakeAgent& agent(std::size_t index) { return *agents_.at(index); }
  Orchestrator& operator*() { return orchestrator_; }
  Orchestrator* operator->() { return &orchestrator_; }
  std::string logged() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

 private:
  OrchestratorOptions options_of(Deadlines deadlines, int concurrency) {
    return {.bind = std::nullopt,
            .spawn = false,
            .concurrency = concurrency,
            .deadlines = deadlines,
            .liveness = 3s,
            .log = [this](const std::string& line) {
              const std::lock_guard lock(mutex_);
              log_ += line + "\n";
            }};
  }

  Folder folder_;
  std::mutex mutex_;
  std::string log_;
  Topology topology_;
  Orchestrator orchestrator_;
  std::vector<std::unique_ptr<FakeAgent>> agents_;
};

/// What starting or running it throws.
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

TEST_CASE("a record of 40 MiB goes to its agents whole, and an answer of that length comes back") {
  Mesh mesh;
  mesh.start();
  const std::string question(std::size_t{40} << 20, 'q');
  const RecordOutcome outcome = mesh->run(record("long", question), 0);
  CHECK_FALSE(outcome.error);
  const bool whole = outcome.output == "re: " + question;  // not printed where it fails
  CHECK(whole);
  CHECK(mesh->run(record("short", "Who?"), 1).output == "re: Who?");
}

TEST_CASE("records go through the mesh one after the other") {
  Mesh mesh;
  mesh.start();
  const RecordOutcome first = mesh->run(record("q1", "who?"), 0);
  CHECK(first.id == "q1");
  CHECK(first.output == "re: who?");
  CHECK(first.answers == std::map<std::string, std::string>{{"solver", "re: who?"}});
  REQUIRE(first.edges.size() == 1);
  CHECK(first.edges[0].bytes == 77);
  CHECK(mesh->run(record("q2", "where?"), 1).output == "re: where?");
  mesh->stop();
  CHECK(mesh.agent(0).wait_for<bus::Bye>());
  CHECK(mesh.agent(0).all<bus::Task>().at(0).generate == false);
  CHECK(mesh.agent(1).all<bus::Task>().at(1).record_index == 1);
}

TEST_CASE("a record that lacks a field is refused before anybody works on it") {
  Mesh mesh;
  mesh.start();
  CHECK_THAT(failure_of([&] {
               mesh->run({{"id", "q1"}, {"context", "c"}}, 0);
             }),
             Contains("q1") && Contains("\"question\""));
  CHECK(mesh->run(record("q2", "who?"), 1).output == "re: who?");
}

TEST_CASE("an agent's error fails the record, cancels the others, and the next record runs") {
  Mesh mesh;
  mesh.start([](Behaviour& solver) {
    solver.answer = [inner = solver.answer](const bus::Task& task) -> std::optional<bus::Control> {
      if (task.prompt.at(0).text == "bad") return bus::TaskError{task.request, ErrorKind::kFixInput, "too long"};
      return inner(task);
    };
  });
  const RecordOutcome failed = mesh->run(record("q1", "bad"), 0);
  CHECK(failed.error == "agent solver: too long");
  CHECK(mesh->run(record("q2", "good"), 1).output == "re: good");
}

TEST_CASE("who still works on a failed record is told to stop") {
  Mesh mesh;
  mesh.join("reader", {.manifest = wire::to_json(manifest()), .answer = {}});
  Behaviour solver = good("solver");
  solver.answer = [](const bus::Task& task) { return bus::TaskError{task.request, ErrorKind::kRetry, "no"}; };
  mesh.join("solver", solver);
  mesh->start();
  CHECK(mesh->run(record("q1", "x"), 0).error);
  CHECK(mesh.agent(0).wait_for<bus::Cancel>());
}

TEST_CASE("an agent that falls silent ends the mesh in time, with its name and the record") {
  Mesh mesh;
  mesh.start([](Behaviour& solver) { solver.silent_at_task = true; });
  const auto begin = Clock::now();
  const std::string failure = failure_of([&] { mesh->run(record("q3", "x"), 0); });
  CHECK_THAT(failure, Contains("agent solver (pid") && Contains("silent for 3 s while working on record q3"));
  mesh->stop();
  CHECK(Clock::now() - begin < 5s);
  CHECK(mesh.agent(0).wait_for<bus::Bye>());
  CHECK_THAT(failure_of([&] { mesh->run(record("q4", "x"), 1); }), Contains("stopped"));
}

TEST_CASE("models that do not fit are refused by every agent's name for it, with both values") {
  Mesh mesh;
  wire::Manifest other = manifest();
  other.head_dim = 64;
  other.rope_theta = 500'000;
  const std::string failure =
      failure_of([&] { mesh.start([&](Behaviour& solver) { solver.manifest = wire::to_json(other); }); });
  CHECK_THAT(failure, Contains("head_dim") && Contains("32") && Contains("64"));
  CHECK_THAT(failure, Contains("rope_theta") && Contains("10000") && Contains("500000"));
  REQUIRE(mesh.agent(0).wait_for<bus::Refused>());
  CHECK(mesh.agent(0).wait_for<bus::Refused>()->reason == failure);
  CHECK(mesh.agent(1).wait_for<bus::Refused>()->reason == failure);
}

TEST_CASE("a second agent of a name and a stranger are refused, and the mesh runs without them") {
  Mesh mesh;
  mesh.join("reader", good("reader"));
  REQUIRE(mesh.agent(0).wait_for<bus::Assign>());
  mesh.join("reader", good("reader"));
  mesh.join("stranger", good("stranger"));
  CHECK_THAT(mesh.agent(1).wait_for<bus::Refused>()->reason, Contains("reader is taken by pid"));
  CHECK_THAT(mesh.agent(2).wait_for<bus::Refused>()->reason, Contains("no agent \"stranger\""));
  mesh.join("solver", good("solver"));
  mesh->start();
  CHECK(mesh->run(record("q1", "x"), 0).output == "re: x");
}

TEST_CASE("an agent that does not come is missed by name at the deadline") {
  Mesh mesh("medium: kv, layers: all", {.start = 300ms});
  mesh.join("reader", good("reader"));
  CHECK_THAT(failure_of([&] { mesh->start(); }), Contains("agent solver has not joined within 0.3 s"));
}

TEST_CASE("an agent that does not become ready is missed by name at the deadline") {
  Mesh mesh("medium: kv, layers: all", {.start = 300ms});
  CHECK_THAT(failure_of([&] { mesh.start([](Behaviour& solver) { solver.says_ready = false; }); }),
             Contains("agent solver (pid") && Contains("not become ready within 0.3 s"));
}

TEST_CASE("a record that takes too long fails alone") {
  Mesh mesh("medium: kv, layers: all", {.record = 300ms});
  mesh.start([](Behaviour& solver) {
    solver.answer = [inner = solver.answer](const bus::Task& task) -> std::optional<bus::Control> {
      if (task.prompt.at(0).text == "slow") return std::nullopt;
      return inner(task);
    };
  });
  CHECK_THAT(mesh->run(record("q1", "slow"), 0).error.value_or(""), Contains("no result from solver within 0.3 s"));
  CHECK(mesh->run(record("q2", "x"), 1).output == "re: x");
}

TEST_CASE("without a calibration file the first record calibrates, and it is said") {
  Mesh mesh("medium: kv, layers: {ratio: 0.3, by: attention}");
  mesh.start();
  CHECK(mesh->run(record("q1", "abc"), 0).output == "re: abc");
  CHECK_THAT(mesh.logged(), Contains("calibrating on record q1"));
  REQUIRE(mesh.agent(0).all<bus::Scores>().size() == 1);
  CHECK(mesh.agent(0).all<bus::Scores>()[0].edge.scores == std::vector<double>{4, 0.5});
  const auto tasks = mesh.agent(1).all<bus::Task>();
  REQUIRE(tasks.size() == 2);
  CHECK((tasks[0].calibrate && !tasks[0].generate && !tasks[1].calibrate && tasks[1].generate));
  CHECK(tasks[0].request != tasks[1].request);
  mesh->run(record("q2", "abc"), 1);
  CHECK(mesh.agent(0).all<bus::Scores>().size() == 1);
}

TEST_CASE("a calibration file is averaged over as many records as asked for") {
  const Folder folder;
  folder.write("calibration.jsonl",
               "{\"context\": \"c\", \"question\": \"1\"}\n{\"context\": \"c\", \"question\": \"333\"}\n"
               "{\"context\": \"c\", \"question\": \"never\"}\n");
  const Topology topology =
      folder.parse(pair("medium: kv, layers: {top: 1, by: attention}") + "calibration: calibration.jsonl\n");
  Orchestrator orchestrator(topology, {.bind = std::nullopt, .spawn = false, .samples = 2});
  FakeAgent reader("reader", orchestrator.endpoint(), good("reader"));
  FakeAgent solver("solver", orchestrator.endpoint(), good("solver"));
  orchestrator.start();
  CHECK(orchestrator.run(record("q1", "abc"), 0).output == "re: abc");
  REQUIRE(reader.all<bus::Scores>().size() == 1);
  CHECK(reader.all<bus::Scores>()[0].edge.scores == std::vector<double>{3, 0.5});
  CHECK(solver.all<bus::Task>().size() == 3);
}

TEST_CASE("a calibration record that lacks a field is heard of before anything starts") {
  const Folder folder;
  folder.write("calibration.jsonl", "{\"id\": \"cal\", \"context\": \"c\"}\n");
  const Topology topology = folder.parse(pair() + "calibration: calibration.jsonl\n");
  CHECK_THROWS_WITH(Orchestrator(topology, {.bind = std::nullopt, .spawn = false}),
                    Contains("cal") && Contains("question"));
}

TEST_CASE("scores that are given are not measured") {
  Mesh mesh("medium: kv, layers: {ratio: 0.3, by: attention}");
  mesh.start();
  mesh->set_scores({{"reader", "solver", {9, 8}}});
  mesh->run(record("q1", "abc"), 0);
  REQUIRE(mesh.agent(0).all<bus::Scores>().size() == 1);
  CHECK(mesh.agent(0).all<bus::Scores>()[0].edge.scores == std::vector<double>{9, 8});
  CHECK(mesh.agent(1).all<bus::Task>().size() == 1);
  CHECK_THAT(failure_of([&] { mesh->set_scores({{"solver", "reader", {1}}}); }), Contains("solver -> reader"));
}

TEST_CASE("every n-th record is measured anew") {
  Mesh mesh("medium: kv, layers: {ratio: 0.3, by: attention}, recalibrate: {every: 2}");
  mesh.start();
  for (std::uint64_t i = 0; i < 4; ++i) mesh->run(record("q" + std::to_string(i), std::string(i, 'x')), i);
  const auto scores = mesh.agent(0).all<bus::Scores>();
  REQUIRE(scores.size() == 3);  // before records 0, 1 and 3
  CHECK(scores[0].edge.scores[0] == 1);
  CHECK(scores[1].edge.scores[0] == 2);
  CHECK(scores[2].edge.scores[0] == 4);
}

TEST_CASE("a calibration that fails on a record fails that record, and the next calibrates again") {
  Mesh mesh("medium: kv, layers: {ratio: 0.3, by: attention}");
  mesh.start([](Behaviour& solver) {
    solver.answer = [inner = solver.answer](const bus::Task& task) -> std::optional<bus::Control> {
      if (task.prompt.at(0).text == "bad") return bus::TaskError{task.request, ErrorKind::kFixInput, "too long"};
      return inner(task);
    };
  });
  CHECK(mesh->run(record("q1", "bad"), 0).error == "calibration: agent solver: too long");
  CHECK(mesh->run(record("q2", "abc"), 1).output == "re: abc");
}

TEST_CASE("a signal ends the mesh") {
  Mesh mesh;
  mesh.start([](Behaviour& solver) { solver.answer = {}; });
  auto failure = std::async(std::launch::async, [&] { return failure_of([&] { mesh->run(record("q1", "x"), 0); }); });
  REQUIRE(mesh.agent(1).wait_for<bus::Task>());
  ::kill(::getpid(), SIGTERM);
  CHECK_THAT(failure.get(), Contains("stopped by SIGTERM"));
}

TEST_CASE("a mesh that never started stops") {
  Mesh mesh;
  mesh->stop();
  mesh->stop();
  CHECK_THAT(failure_of([&] { mesh->start(); }), Contains("stopped"));
}

TEST_CASE("several records are on their way together, and their outcomes come in order") {
  Mesh mesh("medium: kv, layers: all", {}, /*concurrency=*/3);
  mesh.start([](Behaviour& solver) { solver.answers_together = 3; });
  std::vector<json> records;
  for (const char* id : {"q1", "q2", "q3", "q4", "q5", "q6"}) records.push_back(record(id, std::string("about ") + id));
  std::vector<std::string> outputs;
  mesh->run_all(records, [&](const RecordOutcome& outcome) { outputs.push_back(outcome.id + " " + outcome.output); });
  REQUIRE(outputs.size() == 6);
  CHECK(outputs.front() == "q1 re: about q1");
  CHECK(outputs.back() == "q6 re: about q6");
  CHECK(std::is_sorted(outputs.begin(), outputs.end()));
}

TEST_CASE("a concurrency beyond what agents keep room for is refused") {
  CHECK_THAT(failure_of([] { Mesh("medium: kv, layers: all", {}, /*concurrency=*/9); }), Contains("1 to 8 records"));
}

TEST_CASE("progress comes from one thread, and what it throws harms nobody") {
  const Folder folder;
  folder.write("calibration.jsonl", "{\"context\": \"c\", \"question\": \"1\"}\n");
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::string logged;
  Orchestrator orchestrator(folder.parse(pair("medium: kv, layers: {top: 1, by: attention}") +
                                         "calibration: calibration.jsonl\n"),
                            {.bind = std::nullopt, .spawn = false, .log = [&](const std::string& line) {
                               const std::lock_guard lock(mutex);
                               threads.insert(std::this_thread::get_id());
                               logged += line + "\n";
                               throw std::runtime_error("the disk is full");
                             }});
  FakeAgent reader("reader", orchestrator.endpoint(), good("reader"));
  FakeAgent solver("solver", orchestrator.endpoint(), good("solver"));
  orchestrator.start();
  CHECK(orchestrator.run(record("q1", "abc"), 0).output == "re: abc");
  orchestrator.stop();
  CHECK_THAT(logged, Contains("is ready") && Contains("calibrating on 1 record(s)"));
  CHECK(threads.size() == 1);
  CHECK_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST_CASE("a topology that was built in code is checked as one from a file") {
  const Folder folder;
  Topology topology = folder.parse(pair());
  topology.agents[1].model = "nowhere";
  CHECK_THROWS_WITH(Orchestrator(topology, {.bind = std::nullopt, .spawn = false}),
                    Contains("solver") && Contains("nowhere"));
  topology = folder.parse(pair());
  std::swap(topology.edges[0].spec.from, topology.edges[0].spec.to);
  topology.edges.push_back(folder.parse(pair()).edges[0]);
  CHECK_THROWS_AS(Orchestrator(topology, {.bind = std::nullopt, .spawn = false}), Error);
}

TEST_CASE("a liveness beyond what can be told is refused") {
  const Folder folder;
  CHECK_THROWS_WITH(Orchestrator(folder.parse(pair()), {.bind = std::nullopt, .spawn = false, .liveness = 10ms}),
                    Contains("liveness is 10 ms; take 1s to 24h"));
}

#include "orchestrator/supervisor.hpp"

#include <catch2/catch.hpp>
#include <memory>

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

/// A supervisor of reader -> solver with a clock that stands still until it is told otherwise. Peers are "peer-NAME".
class Scene {
 public:
  explicit Scene(const std::string& yaml = pair(), bool children = false) : topology_(folder_.parse(yaml)) {
    supervisor_ = std::make_unique<Supervisor>(
        topology_, SupervisorOptions{.threads = 3, .children = children, .liveness = 3s, .deadlines = {.start = 120s}},
        now_);
  }

  void say(const std::string& agent, const bus::Control& message) {
    keep(supervisor_->on_message("peer-" + agent, message, now_));
  }
  void join(const std::string& agent, std::int64_t pid = 17, const std::string& host = "here") {
    say(agent, bus::Join{.agent = agent, .pid = pid, .host = host});
  }
  void hello(const std::string& agent, const wire::Manifest& model = manifest()) {
    say(agent, bus::Hello{wire::to_json(model), "ipc:///tmp/" + agent});
  }
  void make_ready() {
    for (const AgentSpec& agent : topology_.agents) join(agent.name);
    for (const AgentSpec& agent : topology_.agents) hello(agent.name);
    for (const AgentSpec& agent : topology_.agents) say(agent.name, bus::Ready{});
    REQUIRE(supervisor_->ready());
  }
  void submit(const std::string& id = "q3", const std::string& request = "r1",
              const std::vector<std::string>& targets = {}) {
    RecordTasks record{.id = id, .request = request, .tasks = {}};
    for (const AgentSpec& agent : topology_.agents) {
      record.tasks[agent.name].request = request;
      record.tasks[agent.name].generate = agent.name == topology_.output;
      if (agent.name == topology_.output) record.tasks[agent.name].targets = targets;
    }
    keep(supervisor_->submit(record, now_));
  }
  void answer(const std::string& agent, const std::string& text, const std::string& request = "r1") {
    say(agent, bus::Result{.request = request, .answer = text});
  }
  void exit(const std::string& agent, bool killed, const std::string& how) {
    keep(supervisor_->on_exit(agent, 17, killed, how, now_));
  }
  void gone(const std::string& agent) { keep(supervisor_->on_gone("peer-" + agent, now_)); }
  /// `reporter` cannot reach `about`.
  void lose(const std::string& reporter, const std::string& about) {
    say(reporter, bus::Lost{about, "a message could not be sent: nobody subscribes"});
  }
  /// This process is stopped for that long, and all timers with it.
  void stop_for(std::chrono::milliseconds time) {
    now_ += time;
    keep(supervisor_->on_time(now_));
  }
  void bye() { keep(supervisor_->say_bye("done", now_)); }
  /// Time passes, with the alarm that the supervisor asked for wherever it falls, and life signs of `alive`.
  void pass(std::chrono::milliseconds time, const std::vector<std::string>& alive = {}) {
    for (const auto end = now_ + time; now_ < end;) {
      now_ = std::min(end, std::max(now_ + 1ms, std::min(supervisor_->next_wakeup(), now_ + 500ms)));
      for (const std::string& agent : alive) say(agent, bus::Heartbeat{});
      keep(supervisor_->on_time(now_));
    }
  }

  /// The same, while parts of a long message come from `agent`.
  void come_for(const std::string& agent, std::chrono::milliseconds time, const std::vector<std::string>& alive) {
    for (const auto end = now_ + time; now_ < end; pass(500ms, alive))
      keep(supervisor_->on_coming("peer-" + agent, now_));
  }

  /// The last action of a type since the last forget(), or nothing.
  template <typename T>
  const T* find() const {
    for (auto action = seen_.rbegin(); action != seen_.rend(); ++action) {
      if (const T* one = std::get_if<T>(&*action)) return one;
    }
    return nullptr;
  }
  /// The last message of a type that was sent to an agent.
  template <typename T>
  const T* sent(const std::string& agent) const {
    for (auto action = seen_.rbegin(); action != seen_.rend(); ++action) {
      const auto* send = std::get_if<SendControl>(&*action);
      if (send == nullptr || send->peer != "peer-" + agent) continue;
      if (const T* one = std::get_if<T>(&send->message)) return one;
    }
    return nullptr;
  }
  std::string failure() const { return find<MeshFailed>() == nullptr ? "" : find<MeshFailed>()->reason; }
  std::string record_error() const {
    return find<RecordDone>() == nullptr ? "" : find<RecordDone>()->outcome.error.value_or("");
  }
  void forget() { seen_.clear(); }
  Supervisor& supervisor() { return *supervisor_; }

 private:
  void keep(Actions actions) { seen_.insert(seen_.end(), actions.begin(), actions.end()); }

  Folder folder_;
  Topology topology_;
  Supervisor::Time now_{std::chrono::hours(1)};
  std::unique_ptr<Supervisor> supervisor_;
  Actions seen_;
};

}  // namespace

TEST_CASE("who joins is told what it is") {
  Scene scene;
  scene.join("reader");
  const auto* assign = scene.sent<bus::Assign>("reader");
  REQUIRE(assign != nullptr);
  CHECK((assign->mesh == "mesh" && assign->dtype == "auto" && assign->device == "cpu" && assign->threads == 3));
  CHECK(assign->liveness_ms == 3000);
  CHECK_THAT(assign->model_path, Catch::Matchers::EndsWith("/tiny"));
}

TEST_CASE("an unknown name, a taken one and another version are refused, and the mesh waits on") {
  Scene scene;
  scene.join("stranger");
  CHECK_THAT(scene.sent<bus::Refused>("stranger")->reason,
             Contains("no agent \"stranger\"") && Contains("reader, solver"));
  scene.join("reader");
  scene.say("second", bus::Join{.agent = "reader", .pid = 99});
  CHECK_THAT(scene.sent<bus::Refused>("second")->reason, Contains("reader is taken by pid 17 on host here"));
  scene.say("old", bus::Join{.version = 1, .agent = "solver"});
  CHECK_THAT(scene.sent<bus::Refused>("old")->reason,
             Contains("version 1 of the control protocol and this mesh speaks 2"));
  CHECK(scene.failure().empty());
}

TEST_CASE("edges go out when all have said hello, with topics, the other end's model and its publisher") {
  Scene scene;
  scene.join("reader");
  scene.join("solver");
  scene.hello("solver");
  CHECK(scene.sent<bus::Edges>("solver") == nullptr);
  scene.hello("reader");
  const auto* solver = scene.sent<bus::Edges>("solver");
  REQUIRE(solver != nullptr);
  REQUIRE(solver->inbound.size() == 1);
  CHECK(solver->outbound.empty());
  CHECK(solver->inbound[0].topic == "mesh/reader/solver/kv;");
  CHECK(solver->inbound[0].endpoint == "ipc:///tmp/reader");
  CHECK(wire::manifest_from_json(solver->inbound[0].manifest) == manifest());
  CHECK(wire::edge_spec_from_json(solver->inbound[0].spec).from == "reader");
  const auto* reader = scene.sent<bus::Edges>("reader");
  REQUIRE(reader->outbound.size() == 1);
  CHECK(reader->outbound[0].carries_sink);
  CHECK(reader->outbound[0].endpoint.empty());
}

TEST_CASE("agents on one host are given equal shares of what it may keep, with the edges") {
  Scene scene;
  for (const char* agent : {"reader", "solver"}) scene.join(agent);
  for (const char* agent : {"reader", "solver"})
    scene.say(agent, bus::Hello{.manifest = wire::to_json(manifest()),
                                .publish_endpoint = "ipc:///tmp/p",
                                .memory_bytes = std::uint64_t{16} << 30});
  for (const char* agent : {"reader", "solver"}) {
    CHECK(scene.sent<bus::Edges>(agent)->keep_bytes == std::uint64_t{1} << 29);
    CHECK(scene.sent<bus::Edges>(agent)->waiting_bytes == std::uint64_t{1} << 31);
  }
}

TEST_CASE("ends that do not fit are refused before any work, to all, with both values") {
  Scene scene;
  scene.join("reader");
  scene.join("solver");
  scene.hello("reader");
  wire::Manifest other = manifest();
  other.head_dim = 64;
  scene.hello("solver", other);
  CHECK(scene.find<MeshFailed>()->kind == ErrorKind::kFixInput);
  CHECK_THAT(scene.failure(), Contains("head_dim") && Contains("32") && Contains("64"));
  CHECK(scene.sent<bus::Refused>("reader")->reason == scene.failure());
  CHECK(scene.sent<bus::Refused>("solver")->reason == scene.failure());
  CHECK(scene.sent<bus::Edges>("solver") == nullptr);
}

TEST_CASE("the mesh is ready when the last agent is") {
  Scene scene;
  for (const char* agent : {"reader", "solver"}) scene.join(agent);
  for (const char* agent : {"reader", "solver"}) scene.hello(agent);
  scene.say("solver", bus::Ready{});
  CHECK(scene.find<MeshReady>() == nullptr);
  scene.say("reader", bus::Ready{});
  CHECK(scene.find<MeshReady>() != nullptr);
}

TEST_CASE("who does not join in time is named") {
  Scene scene;
  scene.join("reader");
  scene.pass(119s, {"reader"});
  scene.hello("reader");
  CHECK(scene.failure().empty());
  scene.pass(2s, {"reader"});
  CHECK_THAT(scene.failure(), Contains("agent solver has not joined within 120 s") && !Contains("reader"));
}

TEST_CASE("who does not say hello in time is named") {
  Scene scene;
  scene.join("reader");
  scene.join("solver");
  scene.hello("reader");
  scene.pass(121s, {"reader", "solver"});
  CHECK_THAT(scene.failure(), Contains("agent solver (pid 17) has not said what its model is"));
}

TEST_CASE("who does not become ready in time is named") {
  Scene scene;
  for (const char* agent : {"reader", "solver"}) scene.join(agent);
  for (const char* agent : {"reader", "solver"}) scene.hello(agent);
  scene.say("reader", bus::Ready{});
  scene.pass(121s, {"reader", "solver"});
  CHECK(scene.failure().empty());  // it is told the deadline and says itself what it still waits for
  scene.pass(2s, {"reader", "solver"});
  CHECK_THAT(scene.failure(),
             Contains("agent solver (pid 17) has not become ready within 120 s") && !Contains("reader"));
}

TEST_CASE("a record goes to every agent and is done with the last result") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  CHECK(scene.sent<bus::Task>("reader")->request == "r1");
  CHECK(scene.sent<bus::Task>("solver")->request == "r1");
  scene.say("reader", bus::Result{.request = "r1"});
  CHECK(scene.find<RecordDone>() == nullptr);
  scene.answer("solver", "Paris");
  REQUIRE(scene.find<RecordDone>() != nullptr);
  CHECK(scene.find<RecordDone>()->outcome.output == "Paris");
  CHECK(scene.record_error().empty());
}

TEST_CASE("an agent's error fails the record, cancels the others, and the mesh goes on") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.say("reader", bus::TaskError{"r1", ErrorKind::kFixInput, "the prompt is too long"});
  CHECK(scene.record_error() == "agent reader: the prompt is too long");
  REQUIRE(scene.sent<bus::Cancel>("solver") != nullptr);
  CHECK(scene.sent<bus::Cancel>("solver")->request == "r1");
  scene.forget();
  scene.answer("solver", "late");  // of the record that was given up
  CHECK(scene.find<RecordDone>() == nullptr);
  scene.submit("q4", "r2");
  scene.answer("reader", "", "r2");
  scene.answer("solver", "late", "r1");
  CHECK(scene.find<RecordDone>() == nullptr);
  scene.answer("solver", "Rome", "r2");
  CHECK(scene.find<RecordDone>()->outcome.output == "Rome");
  CHECK(scene.failure().empty());
}

TEST_CASE("several records are on their way at once, each with its own results, error and end") {
  Scene scene;
  scene.make_ready();
  scene.submit("q1", "r1");
  scene.submit("q2", "r2");
  scene.submit("q3", "r3");
  scene.answer("reader", "", "r2");
  scene.answer("solver", "Rome", "r2");
  REQUIRE(scene.find<RecordDone>() != nullptr);
  CHECK(scene.find<RecordDone>()->outcome.id == "q2");
  CHECK(scene.find<RecordDone>()->outcome.request == "r2");
  CHECK(scene.find<RecordDone>()->outcome.output == "Rome");
  scene.say("reader", bus::TaskError{"r1", ErrorKind::kFixInput, "the prompt is too long"});
  CHECK(scene.find<RecordDone>()->outcome.id == "q1");
  CHECK(scene.record_error() == "agent reader: the prompt is too long");
  CHECK(scene.sent<bus::Cancel>("solver")->request == "r1");
  scene.answer("reader", "", "r3");
  scene.answer("solver", "Oslo", "r3");
  CHECK(scene.find<RecordDone>()->outcome.output == "Oslo");
  CHECK(scene.failure().empty());
}

TEST_CASE("each record has a deadline of its own") {
  Scene scene;
  scene.make_ready();
  scene.submit("q1", "r1");
  scene.pass(400s, {"reader", "solver"});
  scene.submit("q2", "r2");
  scene.pass(201s, {"reader", "solver"});
  REQUIRE(scene.find<RecordDone>() != nullptr);
  CHECK(scene.find<RecordDone>()->outcome.id == "q1");
  scene.forget();
  scene.pass(398s, {"reader", "solver"});
  CHECK(scene.find<RecordDone>() == nullptr);
  scene.pass(2s, {"reader", "solver"});
  REQUIRE(scene.find<RecordDone>() != nullptr);
  CHECK(scene.find<RecordDone>()->outcome.id == "q2");
}

TEST_CASE("a killed agent ends the mesh and names every record that was on its way") {
  Scene scene;
  scene.make_ready();
  scene.submit("q1", "r1");
  scene.submit("q2", "r2");
  scene.exit("solver", /*killed=*/true, "was killed by signal 9");
  CHECK(scene.failure() == "agent solver (pid 17) was killed by signal 9 while working on records q1, q2");
}

TEST_CASE("a result without the answer that was asked for fails its record and is never an empty answer") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.say("reader", bus::Result{.request = "r1"});  // was not asked
  scene.say("solver", bus::Result{.request = "r1"});
  CHECK_THAT(scene.record_error(), Contains("agent solver sent a result without the answer that it was asked for"));
  CHECK(scene.failure().empty());
}

TEST_CASE("a result of an older agent, which says no nats of the right answers, fails its record and says what to do") {
  Scene scene;
  scene.make_ready();
  scene.submit("q3", "r1", {"Paris"});
  scene.say("reader", bus::Result{.request = "r1"});  // was not asked
  scene.answer("solver", "Paris");
  CHECK_THAT(scene.record_error(), Contains("agent solver does not say what a right answer costs") &&
                                       Contains("run this version of kvmesh there too"));
  CHECK(scene.failure().empty());
}

TEST_CASE("parts of a long message are signs of life") {
  Scene scene;
  scene.make_ready();
  scene.come_for("reader", 10s, {"solver"});
  CHECK(scene.failure().empty());
}

TEST_CASE("a record without an answer fails at its deadline, naming who owes it") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.say("reader", bus::Result{.request = "r1"});
  scene.pass(599s, {"reader", "solver"});
  CHECK(scene.find<RecordDone>() == nullptr);
  scene.pass(2s, {"reader", "solver"});
  CHECK_THAT(scene.record_error(), Contains("no result from solver within 600 s"));
  CHECK(scene.sent<bus::Cancel>("solver") != nullptr);
  CHECK(scene.sent<bus::Cancel>("reader") == nullptr);
  CHECK(scene.failure().empty());
}

TEST_CASE("a killed agent ends the mesh at once, with its name, signal and record") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.exit("solver", /*killed=*/true, "was killed by signal 9");
  CHECK(scene.failure() == "agent solver (pid 17) was killed by signal 9 while working on record q3");
  CHECK(scene.sent<bus::Bye>("reader") != nullptr);
}

TEST_CASE("an agent that exits is heard out first: its own reason says more than its status") {
  Scene scene;
  scene.join("solver");
  scene.exit("solver", /*killed=*/false, "exited with status 2");
  CHECK(scene.failure().empty());
  scene.say("solver", bus::Failed{ErrorKind::kFixInput, "model.safetensors is cut off"});
  CHECK_THAT(scene.failure(), Contains("agent solver (pid 17) failed") && Contains("model.safetensors is cut off"));
  CHECK(scene.find<MeshFailed>()->kind == ErrorKind::kFixInput);
}

TEST_CASE("an agent that exits without a word is named with its status") {
  Scene scene;
  scene.exit("solver", /*killed=*/false, "exited with status 127");
  scene.pass(1s);
  CHECK(scene.failure() == "agent solver (pid 17) exited with status 127 before the mesh was ready");
}

TEST_CASE("three seconds of silence end the mesh, two do not") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.pass(2900ms, {"reader"});
  CHECK(scene.failure().empty());
  scene.pass(200ms, {"reader"});
  CHECK_THAT(scene.failure(), Contains("agent solver (pid 17) has been silent for 3 s while working on record q3"));
}

TEST_CASE("every agent hears from us twice a second") {
  Scene scene;
  scene.make_ready();
  scene.pass(100ms, {"reader", "solver"});
  scene.forget();
  scene.pass(500ms, {"reader", "solver"});
  CHECK(scene.sent<bus::Heartbeat>("reader") != nullptr);
  CHECK(scene.sent<bus::Heartbeat>("solver") != nullptr);
}

TEST_CASE("what cannot be read ends the mesh with the name of who sent it") {
  Scene scene;
  scene.join("solver");
  scene.supervisor();
  const Actions actions =
      scene.supervisor().on_broken("peer-solver", "no JSON", Supervisor::Time{std::chrono::hours(1)});
  REQUIRE_FALSE(actions.empty());
  CHECK_THAT(std::get<MeshFailed>(actions[0]).reason, Contains("agent solver (pid 17)") && Contains("no JSON"));
  CHECK(scene.supervisor().on_broken("peer-nobody", "no JSON", Supervisor::Time{}).empty());
}

TEST_CASE("who speaks out of turn ends the mesh") {
  Scene scene;
  scene.join("solver");
  scene.say("solver", bus::Ready{});
  CHECK_THAT(scene.failure(), Contains("agent solver (pid 17) spoke out of turn"));
}

TEST_CASE("what somebody says who never joined is not heard") {
  Scene scene;
  scene.hello("solver");
  scene.say("solver", bus::Failed{ErrorKind::kGiveUp, "x"});
  CHECK(scene.failure().empty());
}

TEST_CASE("an agent that leaves by itself ends the mesh") {
  Scene scene;
  scene.make_ready();
  scene.say("reader", bus::Bye{});
  CHECK_THAT(scene.failure(), Contains("agent reader (pid 17) left between records"));
}

TEST_CASE("bye is over when all have answered it or exited") {
  Scene scene;
  scene.make_ready();
  scene.bye();
  CHECK(scene.sent<bus::Bye>("reader") != nullptr);
  scene.say("reader", bus::Bye{});
  CHECK(scene.find<AllGone>() == nullptr);
  scene.exit("solver", /*killed=*/true, "was killed by signal 15");
  CHECK(scene.find<AllGone>() != nullptr);
  CHECK(scene.failure().empty());
}

TEST_CASE("bye does not wait for ever") {
  Scene scene;
  scene.make_ready();
  scene.bye();
  scene.say("reader", bus::Bye{});
  scene.pass(2900ms);
  CHECK(scene.find<AllGone>() == nullptr);
  scene.pass(200ms);
  CHECK(scene.find<AllGone>() != nullptr);
}

TEST_CASE("scores go to the edge's sender, and only for an edge that there is") {
  Scene scene;
  scene.make_ready();
  const auto time = Supervisor::Time{std::chrono::hours(1)};
  const Actions actions = scene.supervisor().install({"reader", "solver", {1, 2}}, time);
  REQUIRE(actions.size() == 1);
  const auto& send = std::get<SendControl>(actions[0]);
  CHECK(send.peer == "peer-reader");
  CHECK(std::get<bus::Scores>(send.message).edge.scores == std::vector<double>{1, 2});
  CHECK_THROWS_WITH(scene.supervisor().install({"solver", "reader", {1}}, time), Contains("solver -> reader"));
}

TEST_CASE("an agent that waits for another to join has its whole deadline when that has come") {
  Scene scene;
  scene.join("reader");
  scene.hello("reader");
  scene.pass(119s, {"reader"});
  scene.join("solver");
  scene.hello("solver");
  REQUIRE(scene.sent<bus::Edges>("reader") != nullptr);
  CHECK(scene.sent<bus::Edges>("reader")->ready_deadline_ms == 120'000);
  scene.pass(119s, {"reader", "solver"});
  CHECK(scene.failure().empty());
}

TEST_CASE("agents share the cores with those of their own host alone") {
  Scene scene(graph(edge("a", "d") + edge("b", "d") + edge("c", "d")));
  scene.join("a", 1, "far");
  for (const char* agent : {"b", "c", "d"}) scene.join(agent, 2, "near");
  for (const char* agent : {"a", "b", "c", "d"}) scene.hello(agent);
  CHECK(scene.sent<bus::Edges>("a")->beside == 1);
  CHECK(scene.sent<bus::Edges>("b")->beside == 2);
  CHECK(scene.sent<bus::Edges>("d")->beside == 2);
}

TEST_CASE("a receiver that dies is named, not the sender that hears of it first") {
  Scene scene(pair(), /*children=*/true);
  scene.make_ready();
  scene.submit();
  scene.lose("reader", "solver");
  CHECK(scene.failure().empty());
  scene.gone("solver");
  CHECK(scene.failure().empty());
  scene.exit("solver", /*killed=*/true, "was killed by signal 9");
  CHECK(scene.failure() == "agent solver (pid 17) was killed by signal 9 while working on record q3");
}

TEST_CASE("a receiver started by hand whose connection ends is named, not the sender") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.lose("reader", "solver");
  scene.gone("solver");
  scene.pass(400ms, {"reader"});
  CHECK(scene.failure() == "agent solver (pid 17) is gone: its connection has ended while working on record q3");
}

TEST_CASE("a receiver that is silent is named when its silence has lasted, not before and not the sender") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.lose("reader", "solver");
  scene.pass(2900ms, {"reader"});
  CHECK(scene.failure().empty());
  scene.pass(200ms, {"reader"});
  CHECK_THAT(scene.failure(), Contains("agent solver (pid 17) has been silent for 3 s"));
}

TEST_CASE("a receiver that is heard later has not died: what connects the two broke, and both are named") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.lose("reader", "solver");
  scene.pass(1400ms, {"reader", "solver"});
  CHECK(scene.failure().empty());
  scene.pass(1s, {"reader", "solver"});
  CHECK_THAT(scene.failure(), Contains("what connects agent reader (pid 17) with agent solver (pid 17) broke") &&
                                  Contains("nobody subscribes"));
}

TEST_CASE("an agent whose connection has ended is still heard out") {
  Scene scene;
  scene.join("solver");
  scene.gone("solver");
  scene.say("solver", bus::Failed{ErrorKind::kFixInput, "agent solver: model.safetensors is cut off"});
  CHECK(scene.failure() == "agent solver (pid 17) failed before the mesh was ready: model.safetensors is cut off");
}

TEST_CASE("a stop of this process is not the agents' silence") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.pass(1s, {"reader", "solver"});
  scene.stop_for(60s);
  CHECK(scene.failure().empty());
  scene.pass(2s, {"reader"});
  CHECK(scene.failure().empty());
  scene.pass(1s, {"reader"});
  CHECK_THAT(scene.failure(), Contains("agent solver (pid 17) has been silent"));
}

TEST_CASE("an agent that gives its own name does not have it said twice") {
  Scene scene;
  scene.make_ready();
  scene.submit();
  scene.say("reader", bus::TaskError{"r1", ErrorKind::kFixInput, "agent reader: the prompt is too long"});
  CHECK(scene.record_error() == "agent reader: the prompt is too long");
}

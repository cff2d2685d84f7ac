// How agents and orchestrators end, and what the others make of it: real processes, real signals.

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

const fs::path kRoot = source_dir();
const std::string kTopology = (kRoot / "tests/cli/tiny_mesh/topology.yaml").string();
const std::string kQuestions = (kRoot / "tests/cli/tiny_mesh/questions.jsonl").string();
/// Longer than any of these tests: what ends before was not taken for silent.
const std::string kPatient = "1h";
/// Far above the two seconds that an end may take, which a busy machine stretches; far below kPatient.
constexpr std::chrono::seconds kSoon{10};

int lines_in(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

/// The mesh's questions so often that a run lasts.
class Questions {
 public:
  explicit Questions(int copies) {
    std::string all;
    std::istringstream in(read_file(kQuestions));
    std::vector<nlohmann::json> records;
    for (std::string line; std::getline(in, line);) records.push_back(nlohmann::json::parse(line));
    for (int i = 0; i < copies; ++i) {
      for (nlohmann::json record : records) {
        record["id"] = "q" + std::to_string(count_++);
        all += record.dump() + "\n";
      }
    }
    file_ = folder_.write("many.jsonl", all).string();
  }
  const std::string& file() const { return file_; }
  int count() const { return count_; }

 private:
  TemporaryFolder folder_;
  std::string file_;
  int count_ = 0;
};

/// reader -> solver over and over, as `kvmesh run` or started by hand.
class Mesh {
 public:
  static Mesh run(int copies, const std::string& liveness) {
    Mesh mesh(copies);
    mesh.orchestrator_ =
        std::make_unique<Program>(std::vector<std::string>{"run", kTopology, "--input", mesh.questions_->file(),
                                                           "--json", "--quiet", "--liveness", liveness});
    mesh.wait_for_an_answer();
    return mesh;
  }
  static Mesh by_hand(int copies, const std::string& liveness) {
    Mesh mesh(copies);
    const std::string endpoint = "ipc://" + (mesh.folder_->path() / "control").string();
    mesh.orchestrator_ = std::make_unique<Program>(
        std::vector<std::string>{"orchestrate", kTopology, "--bind", endpoint, "--input", mesh.questions_->file(),
                                 "--json", "--quiet", "--liveness", liveness});
    for (const char* name : {"reader", "solver"})
      mesh.agents_[name] = std::make_unique<Program>(std::vector<std::string>{"agent", name, "--connect", endpoint});
    mesh.wait_for_an_answer();
    return mesh;
  }

  Program& orchestrator() { return *orchestrator_; }
  Program& agent(const std::string& name) { return *agents_.at(name); }
  pid_t pid(const std::string& name) const {
    if (agents_.contains(name)) return agents_.at(name)->pid();
    for (const auto& [pid, line] : children_)
      if (line.find(" " + name + " ") != std::string::npos) return pid;
    return 0;
  }
  void signal(const std::string& name, int number) const {
    REQUIRE(pid(name) > 0);
    ::kill(pid(name), number);
  }
  bool any_child_exists() const {
    return std::any_of(children_.begin(), children_.end(),
                       [](const auto& child) { return Program::exists(child.first); });
  }
  /// How the mesh ends whose member was just killed; soon.
  void check_failed() {
    const auto begin = Clock::now();
    CHECK(orchestrator_->wait() == 3);
    CHECK(Clock::now() - begin < kSoon);
    CHECK_FALSE(any_child_exists());
  }
  void check_all_answered() {
    CHECK(orchestrator_->wait() == 0);
    CHECK(lines_in(orchestrator_->out()) == questions_->count());
    CHECK(orchestrator_->out().find("\"error\"") == std::string::npos);
  }

 private:
  explicit Mesh(int copies)
      : folder_(std::make_unique<TemporaryFolder>()), questions_(std::make_unique<Questions>(copies)) {}
  void wait_for_an_answer() {
    Program::wait_until("the first answer is out",
                        [this] { return orchestrator_->out().find('\n') != std::string::npos; });
    children_ = orchestrator_->children();
  }

  std::unique_ptr<TemporaryFolder> folder_;
  std::unique_ptr<Questions> questions_;
  std::unique_ptr<Program> orchestrator_;
  std::map<std::string, std::unique_ptr<Program>> agents_;
  std::vector<std::pair<pid_t, std::string>> children_;
};

/// What programs that start now make of SIGHUP, however these tests were started (nohup has it ignored).
void hear_hang_ups() { ::signal(SIGHUP, SIG_DFL); }

/// That a silence lasts is what these tests are about.
void let_pass(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  Program::wait_until("time has passed", [end] { return Clock::now() >= end; });
}

/// A model that is never read to its end: where its tokenizer should be is a pipe that nobody writes to.
class EndlessModel {
 public:
  EndlessModel() {
    fs::create_directory(folder_.path() / "model");
    for (const auto& file : fs::directory_iterator(kRoot / "models/tiny"))
      if (file.path().filename() != "tokenizer.json")
        fs::create_symlink(fs::absolute(file.path()), folder_.path() / "model" / file.path().filename());
    REQUIRE(::mkfifo((folder_.path() / "model/tokenizer.json").c_str(), 0600) == 0);
    topology_ = folder_.write("mesh.yaml",
                              "kvmesh: 1\nname: endless\nmodels:\n  endless: {path: model}\nagents:\n"
                              "  solver: {model: endless, prompt: \"{question}\"}\noutput: solver\n");
    questions_ = folder_.write("in.jsonl", "{\"id\": \"q\", \"question\": \"Who?\"}\n");
  }
  std::string endpoint() const { return "ipc://" + (folder_.path() / "control").string(); }
  std::vector<std::string> orchestrate(std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"orchestrate", topology_.string(), "--bind",
                                 endpoint(),    "--input",          questions_.string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::vector<std::string> agent() const { return {"agent", "solver", "--connect", endpoint()}; }
  static bool is_being_read(const Program& agent) {
    return agent.err().find("waits for its model to be read from") != std::string::npos;
  }
  /// Files of sockets that are left.
  std::size_t sockets() const {
    return static_cast<std::size_t>(std::count_if(fs::directory_iterator(folder_.path()), fs::directory_iterator(),
                                                  [](const auto& entry) { return entry.is_socket(); }));
  }

 private:
  TemporaryFolder folder_;
  fs::path topology_, questions_;
};

/// Where programs that start now put their temporary files.
class TemporaryFiles {
 public:
  TemporaryFiles() { ::setenv("TMPDIR", folder_.path().c_str(), /*overwrite=*/1); }
  ~TemporaryFiles() { ::unsetenv("TMPDIR"); }
  bool empty() const { return fs::is_empty(folder_.path()); }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("an agent's process that ends is known from the process, and it is named, not the other") {
  const std::string dead = GENERATE("solver", "reader");
  Mesh mesh = Mesh::run(2000, kPatient);
  mesh.signal(dead, SIGKILL);
  mesh.check_failed();
  CHECK_THAT(mesh.orchestrator().err(),
             Contains("agent " + dead + " (pid " + std::to_string(mesh.pid(dead)) + ") was killed by signal 9"));
  CHECK(lines_in(mesh.orchestrator().err()) == 1);
}

TEST_CASE("an agent started by hand that ends is known from its connection, and it is named, not the other") {
  const std::string dead = GENERATE("solver", "reader");
  const std::string other = dead == "solver" ? "reader" : "solver";
  Mesh mesh = Mesh::by_hand(2000, kPatient);
  mesh.signal(dead, SIGKILL);
  mesh.check_failed();
  CHECK_THAT(mesh.orchestrator().err(), Contains("agent " + dead + " (pid " + std::to_string(mesh.pid(dead)) +
                                                 ") is gone: its connection has ended"));
  CHECK_THAT(mesh.orchestrator().err(), !Contains("kvmesh: agent " + other));
  CHECK(mesh.agent(other).wait() == 0);
}

TEST_CASE("an agent that is stopped and goes on in time loses nothing") {
  Mesh mesh = GENERATE(0, 1) == 0 ? Mesh::run(30, "30s") : Mesh::by_hand(30, "30s");
  const std::string stopped = GENERATE("solver", "reader");
  mesh.signal(stopped, SIGSTOP);
  let_pass(std::chrono::seconds(4));
  mesh.signal(stopped, SIGCONT);
  mesh.check_all_answered();
}

TEST_CASE("an agent that is silent for longer than the liveness is lost, by name") {
  Mesh mesh = GENERATE(0, 1) == 0 ? Mesh::run(2000, "1s") : Mesh::by_hand(2000, "1s");
  mesh.signal("solver", SIGSTOP);
  mesh.check_failed();
  CHECK_THAT(mesh.orchestrator().err(),
             Contains("agent solver (pid " + std::to_string(mesh.pid("solver")) + ") has been silent for 1 s"));
}

TEST_CASE("agents end soon after the orchestrator that started them") {
  Mesh mesh = Mesh::run(2000, kPatient);
  mesh.orchestrator().signal(SIGKILL);
  mesh.orchestrator().wait();
  Program::wait_until(
      "the agents are gone", [&] { return !mesh.any_child_exists(); }, kSoon);
}

TEST_CASE("agents started by hand end soon after the orchestrator, and say so") {
  Mesh mesh = Mesh::by_hand(2000, kPatient);
  mesh.orchestrator().signal(SIGKILL);
  mesh.orchestrator().wait();
  for (const char* agent : {"reader", "solver"}) {
    CHECK(mesh.agent(agent).wait(kSoon) == 3);
    CHECK_THAT(mesh.agent(agent).err(),
               Contains("kvmesh: agent " + std::string(agent) + ": the orchestrator at ipc://") &&
                   Contains("is gone: the connection to it has ended"));
  }
}

TEST_CASE("agents wait for a silent orchestrator as long as its process lives, which loses nothing") {
  Mesh mesh = Mesh::run(30, "1s");
  mesh.orchestrator().signal(SIGSTOP);
  let_pass(std::chrono::seconds(3));
  mesh.orchestrator().signal(SIGCONT);
  mesh.check_all_answered();
}

TEST_CASE("agents started by hand wait for a silent orchestrator as long as the liveness") {
  Mesh mesh = Mesh::by_hand(2000, "1s");
  mesh.orchestrator().signal(SIGSTOP);
  for (const char* agent : {"reader", "solver"}) {
    CHECK(mesh.agent(agent).wait(kSoon) == 3);
    CHECK_THAT(mesh.agent(agent).err(), Contains("the orchestrator at ipc://") && Contains("has been silent for 1 s"));
  }
  mesh.orchestrator().signal(SIGKILL);
}

TEST_CASE("a signal ends an agent soon while it reads its model, and nothing is left") {
  const int number = GENERATE(SIGINT, SIGTERM, SIGHUP, SIGQUIT);
  hear_hang_ups();
  const EndlessModel model;
  Program orchestrator(model.orchestrate());
  Program agent(model.agent());
  Program::wait_until("the model is being read", [&] { return EndlessModel::is_being_read(agent); });
  agent.signal(number);
  CHECK(agent.wait(kSoon) == 0);
  CHECK(orchestrator.wait(kSoon) == 3);
  CHECK_THAT(orchestrator.err(), Contains("agent solver (pid " + std::to_string(agent.pid()) + ") is gone"));
  CHECK(model.sockets() == 0);
}

TEST_CASE("the orchestrator's death ends an agent soon while it reads its model") {
  const EndlessModel model;
  Program orchestrator(model.orchestrate());
  Program agent(model.agent());
  Program::wait_until("the model is being read", [&] { return EndlessModel::is_being_read(agent); });
  orchestrator.signal(SIGKILL);
  CHECK(agent.wait(kSoon) == 3);
  CHECK_THAT(agent.err(), Contains("is gone: the connection to it has ended"));
}

TEST_CASE("the deadline of an agent's start is the orchestrator's, and says what was waited for") {
  const EndlessModel model;
  Program orchestrator(model.orchestrate({"--ready-deadline", "2"}));
  Program agent(model.agent());
  CHECK(orchestrator.wait() == 3);
  CHECK_THAT(orchestrator.err(),
             Contains("agent solver (pid") && Contains("after 2 s it still waits for its model to be read from"));
  CHECK(agent.wait(kSoon) == 3);
}

TEST_CASE("an agent says what it waits for, and gives up alone only while nobody answers") {
  const TemporaryFolder folder;
  const std::string endpoint = "ipc://" + (folder.path() / "control").string();
  Program agent({"agent", "reader", "--connect", endpoint, "--ready-deadline", "2"});
  CHECK(agent.wait() == 3);
  CHECK_THAT(agent.err(), Contains("agent reader waits for the orchestrator at " + endpoint + " to answer") &&
                              Contains("did not answer within 2 s"));
}

TEST_CASE("the threads of an agent started by hand do not spin while they wait") {
  const TemporaryFolder folder;
  Program agent({"agent", "reader", "--connect", "ipc://" + (folder.path() / "control").string()});
  const std::string environment = "/proc/" + std::to_string(agent.pid()) + "/environ";
  Program::wait_until("OpenMP is told so",
                      [&] { return read_file(environment).find("OMP_WAIT_POLICY=PASSIVE") != std::string::npos; });
}

TEST_CASE("an agent that comes later than the first one's patience with nobody finds it waiting") {
  const TemporaryFolder folder;
  const std::string endpoint = "ipc://" + (folder.path() / "control").string();
  Program orchestrator({"orchestrate", kTopology, "--bind", endpoint, "--input", kQuestions, "--json"});
  Program::wait_until("the orchestrator listens", [&] { return fs::exists(folder.path() / "control"); });
  Program reader({"agent", "reader", "--connect", endpoint, "--ready-deadline", "1"});
  // It says so a second after it was answered: its own deadline is over.
  Program::wait_until("the reader waits",
                      [&] { return reader.err().find("waits for the other agents of mesh") != std::string::npos; });
  Program solver({"agent", "solver", "--connect", endpoint});
  CHECK(orchestrator.wait() == 0);
  CHECK(reader.wait() == 0);
  CHECK(solver.wait() == 0);
}

TEST_CASE("no temporary file outlives a run, whatever signal ends it") {
  const int number = GENERATE(SIGINT, SIGTERM, SIGHUP, SIGQUIT);
  hear_hang_ups();
  const TemporaryFiles files;
  Mesh mesh = Mesh::run(2000, kPatient);
  CHECK_FALSE(files.empty());
  mesh.orchestrator().signal(number);
  mesh.check_failed();
  CHECK(files.empty());
}

TEST_CASE("what a run that was killed left behind goes with the next") {
  const TemporaryFiles files;
  Mesh mesh = Mesh::run(2000, kPatient);
  mesh.orchestrator().signal(SIGKILL);
  mesh.orchestrator().wait();
  Program::wait_until(
      "the agents are gone", [&] { return !mesh.any_child_exists(); }, kSoon);
  CHECK_FALSE(files.empty());
  Program next({"run", kTopology, "--input", kQuestions, "--json"});
  CHECK(next.wait() == 0);
  CHECK(files.empty());
}

TEST_CASE("weights that are cut off are said once, however many agents read them") {
  const TemporaryFolder folder;
  fs::copy(kRoot / "models/tiny", folder.path() / "model", fs::copy_options::recursive);
  fs::resize_file(folder.path() / "model/model.safetensors",
                  fs::file_size(folder.path() / "model/model.safetensors") / 2);
  const auto topology = folder.write("mesh.yaml",
                                     "kvmesh: 1\nname: cut\nmodels:\n  cut: {path: model}\nagents:\n"
                                     "  one: {model: cut, prompt: \"{question}\"}\n"
                                     "  two: {model: cut, prompt: \"{question}\"}\noutput: one\n");
  const auto input = folder.write("in.jsonl", "{\"id\": \"q\", \"question\": \"Who?\"}\n");
  Program run({"run", topology.string(), "--input", input.string(), "--quiet"});
  CHECK(run.wait() != 0);
  CHECK_THAT(run.err(), Contains("model.safetensors"));
  CHECK(lines_in(run.err()) == 1);
}

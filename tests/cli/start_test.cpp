// What hosts no model loads no libtorch, and both programs are one to their users.

#include <sys/resource.h>

#include <chrono>

#include "tests/cli/lines.hpp"
#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;

namespace {

const std::string kTopology = (source_dir() / "tests/cli/tiny_mesh/topology.yaml").string();
const std::string kQuestions = (source_dir() / "tests/cli/tiny_mesh/questions.jsonl").string();

std::string libraries_of(pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/maps"); }

}  // namespace

TEST_CASE("kvmesh needs no libtorch, whatever the command that it runs itself") {
  Program ldd = Program::shell("ldd $(command -v kvmesh)");
  REQUIRE(ldd.wait() == 0);
  CHECK_THAT(ldd.out(), Contains("libyaml-cpp") && !Contains("torch") && !Contains("libc10") && !Contains("blas"));
}

TEST_CASE("while a mesh runs its agents have libtorch mapped and the program that started them has not") {
  const TemporaryFolder folder;
  const auto input = folder.write("many.jsonl", copies_of(kQuestions, 500));
  Program run({"run", kTopology, "--input", input.string(), "--json"});
  Program::wait_until("the first answer is out", [&] { return run.out().find('\n') != std::string::npos; });
  const std::string own = libraries_of(run.pid());
  CHECK_THAT(own, Contains("libzmq") && !Contains("torch"));
  const auto children = run.children();
  REQUIRE(children.size() == 2);
  for (const auto& [pid, line] : children) CHECK_THAT(libraries_of(pid), Contains("libtorch"));
  run.signal(SIGTERM);
  run.wait();
}

TEST_CASE("a command that hosts a model runs in the process that was started, so signals reach it") {
  const TemporaryFolder folder;
  Program agent({"agent", "reader", "--connect", "ipc://" + (folder.path() / "control").string()});
  Program::wait_until("it has become the host", [&] {
    return std::filesystem::read_symlink("/proc/" + std::to_string(agent.pid()) + "/exe").filename() == "kvmesh-host";
  });
  agent.signal(SIGTERM);
  agent.wait();
}

TEST_CASE("one help lists every command, and each command's own help names kvmesh alone") {
  Program help({"--help"});
  REQUIRE(help.wait() == 0);
  for (const char* command : {"run", "check", "orchestrate", "agent", "inspect", "generate", "logits", "tokenize",
                              "render", "share", "calibrate", "eval", "demo", "bench"}) {
    CAPTURE(command);
    CHECK_THAT(help.out(), Contains(std::string("\n  ") + command + " "));
    Program own({command, "--help"});
    REQUIRE(own.wait() == 0);
    CHECK_THAT(own.out(), Contains("kvmesh " + std::string(command)) && !Contains("kvmesh-host"));
  }
}

TEST_CASE("without kvmesh-host the commands that need it say what is missing, and the others work") {
  const TemporaryFolder folder;
  Program alone = Program::shell("cp $(command -v kvmesh) " + folder.path().string() + " && cd " +
                                 folder.path().string() + " && ./kvmesh --version && ./kvmesh generate x --prompt y");
  CHECK(alone.wait() == 3);
  CHECK_THAT(alone.out(), Contains("."));
  CHECK_THAT(alone.err(), Contains("generate") && Contains("kvmesh-host"));
}

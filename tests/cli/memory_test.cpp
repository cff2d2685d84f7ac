// What an agent costs beside its model: memory that belongs to its process alone.

#include <algorithm>
#include <sstream>

#include "tests/support/program.hpp"

using namespace kvmesh::test;

namespace {

constexpr int kAgents = 4;
/// A generous bound: measured are 4 to 21.
constexpr double kMiBPerAgent = 40;

/// Readers that all share their context with the last of them; enough records that it runs until it is stopped.
struct Mesh {
  TemporaryFolder folder;

  std::vector<std::string> arguments() const {
    std::ostringstream topology, records;
    topology << "kvmesh: 1\nname: memory\nmodels:\n  reader: {path: " << (source_dir() / "models" / "reader").string()
             << "}\nagents:\n";
    for (int agent = 0; agent < kAgents; ++agent)
      topology << "  a" << agent << ": {model: reader, chat: false, prompt: \"{context}\""
               << (agent + 1 == kAgents ? ", generate: {max_tokens: 8}}\n" : "}\n");
    topology << "edges:\n";
    for (int agent = 0; agent + 1 < kAgents; ++agent)
      topology << "  - {from: a" << agent << ", to: a" << kAgents - 1 << ", medium: kv, layers: all}\n";
    topology << "output: a" << kAgents - 1 << "\n";
    for (int record = 0; record < 2000; ++record)
      records << R"({"id": ")" << record << R"(", "context": "Orbit Motors expects a quiet quarter."})" << '\n';
    return {"run", folder.write("topology.yaml", topology.str()).string(), "--input",
            folder.write("records.jsonl", records.str()).string(), "--json"};
  }
};

double private_mib(pid_t process) {
  std::istringstream lines(read_file("/proc/" + std::to_string(process) + "/smaps_rollup"));
  double kib = 0;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("Private_Dirty:")) kib += std::stod(line.substr(line.find(':') + 1));
  return kib / 1024;
}

}  // namespace

TEST_CASE("an agent takes less than 40 MiB beside its model and what all agents of its host share") {
  const Mesh mesh;
  Program run(mesh.arguments());
  Program::wait_until("the first answers are out", [&] {
    const std::string out = run.out();
    return std::count(out.begin(), out.end(), '\n') >= 3;
  });
  const auto agents = run.children();
  REQUIRE(agents.size() == kAgents);
  for (const auto& [process, line] : agents) {
    INFO(line);
    const double mib = private_mib(process);
    CHECK(mib > 1);  // the measurement saw it
    CHECK(mib < kMiBPerAgent);
  }
  run.signal(SIGTERM);
  run.wait();
}

// A document that several records ask about, over real processes: its rows travel once.

#include <nlohmann/json.hpp>

#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::string topology(const std::string& rest, const std::string& edge) {
  return "kvmesh: 1\nname: reuse\nmodels:\n  tiny: {path: " + (fs::path(source_dir()) / "models/tiny").string() +
         "}\nagents:\n"
         "  reader: {model: tiny, prompt: \"Context: {document} Note: {note}\"" +
         rest +
         "}\n"
         "  solver: {model: tiny, prompt: \"Question: {question}\", generate: {max_tokens: 8}" +
         rest + "}\nedges:\n  - {from: reader, to: solver, medium: kv, layers: all" + edge + "}\noutput: solver\n";
}

std::string records() {
  std::string document, lines;
  for (int i = 0; i < 30; ++i) document += "Fatima put box " + std::to_string(i) + " beside the red key. ";
  for (int i = 0; i < 4; ++i)
    lines += nlohmann::json{{"id", std::to_string(i)},
                            {"document", document},
                            {"note", "number " + std::to_string(i)},
                            {"question", "Who put box " + std::to_string(i) + "?"}}
                 .dump() +
             "\n";
  return lines;
}

struct Run {
  std::vector<std::string> outputs;
  std::vector<double> bytes;
};

Run run(const std::string& rest, const std::string& edge) {
  const TemporaryFolder folder;
  const auto file = folder.write("topology.yaml", topology(rest, edge));
  const auto input = folder.write("records.jsonl", records());
  // One record after the other, so that what a record brought is there when the next one is offered.
  Program program({"run", file.string(), "--input", input.string(), "--json", "--concurrency", "1"});
  INFO(program.err());
  REQUIRE(program.wait() == 0);
  Run result;
  std::istringstream out(program.out());
  for (std::string line; std::getline(out, line);) {
    const auto object = nlohmann::json::parse(line);
    result.outputs.push_back(object["output"]);
    result.bytes.push_back(object["edges"][0]["bytes"]);
  }
  REQUIRE(result.outputs.size() == 4);
  return result;
}

}  // namespace

TEST_CASE("a document that records share travels once, whatever carries it, and the answers are the same") {
  for (const std::string edge : {", transport: zmq", ", transport: shm", ", transport: zmq, wire: int8"}) {
    const Run whole = run(", keep_mib: 0", edge), kept = run("", edge);
    CHECK(kept.outputs == whole.outputs);
    CHECK(kept.bytes.front() >= whole.bytes.front());
    CHECK(kept.bytes.back() < whole.bytes.back() / 4);
  }
}

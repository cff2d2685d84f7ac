// A document that several records ask about, over real processes: its rows travel once.

#include <nlohmann/json.hpp>

#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kShared = "  - {from: reader, to: solver, medium: kv, layers: all";

/// `rest`: of each agent; `question`: what the solver is asked; `edges`: lines of the list.
std::string topology(const std::string& rest, const std::string& question, const std::string& edges) {
  return "kvmesh: 1\nname: reuse\nmodels:\n  tiny: {path: " + (fs::path(source_dir()) / "models/tiny").string() +
         "}\nagents:\n"
         "  reader: {model: tiny, prompt: \"Context: {document} Note: {note}\"" +
         rest +
         "}\n"
         "  solver: {model: tiny, prompt: \"" +
         question + "\", generate: {max_tokens: 8}" + rest + "}\nedges:\n" + edges + "output: solver\n";
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

Run run(const std::string& topology) {
  const TemporaryFolder folder;
  const auto file = folder.write("topology.yaml", topology);
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
    for (const auto& edge : object["edges"])
      if (edge["medium"] == "kv") result.bytes.push_back(edge["bytes"]);
  }
  REQUIRE(result.outputs.size() == 4);
  REQUIRE(result.bytes.size() == 4);
  return result;
}

Run run(const std::string& rest, const std::string& edge) {
  return run(topology(rest, "Question: {question}", kShared + edge + "}\n"));
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

TEST_CASE("what travels over a kv edge is the same wherever a text edge between the same agents stands in the file") {
  const std::string question = "Note: {from.reader} Question: {question}", kv = std::string(kShared) + "}\n",
                    text = "  - {from: reader, to: solver, medium: text, max_tokens: 4}\n";
  const Run kv_first = run(topology("", question, kv + text)), text_first = run(topology("", question, text + kv));
  CHECK(text_first.outputs == kv_first.outputs);
  CHECK(text_first.bytes == kv_first.bytes);
  CHECK(text_first.bytes.back() < text_first.bytes.front() / 4);
}

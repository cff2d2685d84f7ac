// What check passes, run does not refuse for a reason that stood on disk; what is wrong is shown in one pass.

#include <algorithm>
#include <fstream>

#include "tests/cli/lines.hpp"
#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kTiny = source_dir() / "models/tiny";

/// reader -> solver on two copies of the shipped model, which tests spoil.
class Mesh {
 public:
  Mesh() {
    for (const char* name : {"reader", "solver"}) {
      fs::create_directory(model(name));
      for (const auto& entry : fs::directory_iterator(kTiny))
        if (entry.is_regular_file()) fs::copy_file(entry.path(), model(name) / entry.path().filename());
    }
  }
  fs::path model(const std::string& name) const { return folder_.path() / name; }
  void write(const std::string& name, const std::string& file, const std::string& text) const {
    folder_.write(name + "/" + file, text);
  }
  fs::path topology(const std::string& edge = "layers: all", const std::string& model_options = "") const {
    return folder_.write("mesh.yaml",
                         "kvmesh: 1\nname: checked\nmodels:\n  reader: {path: reader" + model_options +
                             "}\n  solver: {path: solver}\nagents:\n"
                             "  reader: {model: reader, prompt: \"{context}\"}\n"
                             "  solver: {model: solver, prompt: \"{question}\", generate: {max_tokens: 2}}\n"
                             "edges:\n  - {from: reader, to: solver, medium: kv, " +
                             edge + "}\noutput: solver\n");
  }
  fs::path records() const {
    return folder_.write("in.jsonl", R"({"context": "x", "question": "y"})"
                                     "\n");
  }

  /// What check says is wrong with `topology`; run has to say the same and to start nothing.
  std::string complaint(const fs::path& topology, const std::vector<std::string>& options = {}) const {
    std::vector<std::string> arguments{"check", topology.string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    Program check(arguments);
    CHECK(check.wait() == 2);
    CHECK(check.out().empty());
    Program run({"run", topology.string(), "--input", records().string()});
    CHECK(run.wait() == 2);
    if (options.empty()) CHECK(run.err() == check.err());
    return check.err();
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a mesh that check passes runs") {
  const Mesh mesh;
  Program check({"check", mesh.topology().string()});
  CHECK(check.wait() == 0);
  CHECK_THAT(check.out(), Contains("2 agents, 1 edge, output solver"));
  Program run({"run", mesh.topology().string(), "--input", mesh.records().string(), "--quiet"});
  CHECK(run.wait() == 0);
}

TEST_CASE("check and run show what is wrong with the file and with every model in one pass, a line each") {
  const Mesh mesh;
  mesh.write("reader", "tokenizer.json", "{\"model\": ");
  mesh.write("solver", "tokenizer_config.json", R"({"chat_template": "{% if %}"})");
  const std::string said = mesh.complaint(mesh.topology("layer: all"));
  CHECK_THAT(said, Contains("mesh.yaml:10: unknown key \"layer\"") && Contains("mesh.yaml:4: model reader: ") &&
                       Contains("tokenizer.json") && Contains("mesh.yaml:8: agent solver: "));
  CHECK(std::count(said.begin(), said.end(), '\n') == 3);
}

TEST_CASE("a folder without config.json or tokenizer.json is named with the model's line") {
  const Mesh mesh;
  fs::remove(mesh.model("reader") / "config.json");
  fs::remove(mesh.model("solver") / "tokenizer.json");
  CHECK_THAT(mesh.complaint(mesh.topology()), Contains("mesh.yaml:4: model reader: ") && Contains("config.json") &&
                                                  Contains("mesh.yaml:5: model solver: ") &&
                                                  Contains("tokenizer.json"));
}

TEST_CASE("weights that are cut off, of another shape or not there are named from their headers alone") {
  const Mesh mesh;
  fs::resize_file(mesh.model("reader") / "model.safetensors", fs::file_size(kTiny / "model.safetensors") - 100);
  fs::remove(mesh.model("solver") / "model.safetensors");
  CHECK_THAT(mesh.complaint(mesh.topology()), Contains("mesh.yaml:4: model reader: ") &&
                                                  Contains("model.safetensors") &&
                                                  Contains("mesh.yaml:5: model solver: "));
}

TEST_CASE("check --deep reads every weight, and check alone does not") {
  const Mesh mesh;
  {
    // The last number of the file becomes a NaN, whether it has two bytes or four.
    std::fstream file(mesh.model("solver") / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-4, std::ios::end);
    file.write("\xff\xff\xff\xff", 4);
  }
  Program check({"check", mesh.topology().string()});
  CHECK(check.wait() == 0);
  Program deep({"check", mesh.topology().string(), "--deep"});
  CHECK(deep.wait() == 2);
  CHECK_THAT(deep.err(), Contains("mesh.yaml:5: model solver: ") && Contains("model.safetensors"));
}

TEST_CASE("a device that the build does not have is refused before anything starts") {
  const Mesh mesh;
  Program check({"check", mesh.topology("layers: all", ", device: \"cuda:0\"").string()});
  if (check.wait() == 0) {
    WARN("skipped: this build's libtorch has CUDA");
    return;
  }
  CHECK_THAT(check.err(), Contains("mesh.yaml:4: model reader: device \"cuda:0\""));
}

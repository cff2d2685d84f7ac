// Profiles: measured, written, named by topologies, refused where they do not belong; measuring while running; chains.

#include <nlohmann/json.hpp>

#include "tests/cli/lines.hpp"
#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = source_dir();
const std::string kTiny = (kRoot / "models/tiny").string();
const std::string kCalibration = kTiny + "/data/calibration.jsonl";

/// reader -> solver on the shipped model, with `edge` as the edge's options and `more` at the end.
std::string topology(const std::string& edge, const std::string& more = "") {
  return "kvmesh: 1\nname: calibrated\nmodels:\n  tiny: {path: " + kTiny +
         "}\nagents:\n"
         "  reader: {model: tiny, prompt: \"Instruction: {instruction} Context: {context}\"}\n"
         "  solver: {model: tiny, prompt: \"Instruction: {instruction} Question: {question}\", generate: {max_tokens: "
         "8}}\n"
         "edges:\n  - {from: reader, to: solver, medium: kv, " +
         edge + "}\noutput: solver\n" + more;
}

int count(const std::string& text, const std::string& what) {
  int found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("calibrating twice writes the same file byte for byte, with fingerprints, scores and ranking") {
  const TemporaryFolder folder;
  const auto file = folder.write("mesh.yaml", topology("layers: {ratio: 0.3, alpha: 0.9}", "profile: profile.json\n"));
  const fs::path plot = folder.path() / "profile.svg";
  std::string first;
  for (int time = 0; time < 2; ++time) {
    Program program({"calibrate", file.string(), "--input", kCalibration, "--samples", "3", "--plot", plot.string()});
    REQUIRE(program.wait() == 0);
    const std::string profile = read_file(folder.path() / "profile.json");
    if (time == 0) first = profile;
    CHECK(profile == first);
  }
  const json edge = json::parse(first)["edges"][0];
  CHECK(edge["from"] == "reader");
  CHECK(edge["sender"] == edge["receiver"]);
  CHECK(edge["sender"].get<std::string>().size() == 16);
  CHECK(edge["samples"] == 3);
  CHECK(edge["alpha"] == 0.9);
  CHECK(edge["scores"].size() == 8);
  CHECK(edge["ranking"].size() == 8);
  CHECK(edge["ranking"][0] == 5);
  CHECK_THAT(read_file(plot), Contains("steelblue") && Contains("<polyline"));
}

TEST_CASE("a topology that names its profile runs by it and measures nothing") {
  const TemporaryFolder folder;
  const auto file = folder.write("mesh.yaml", topology("layers: {top: 1}", "profile: profile.json\n"));
  Program early({"check", file.string()});
  CHECK(early.wait() == 2);
  CHECK_THAT(early.err(), Contains("profile.json") && Contains("kvmesh calibrate"));

  Program calibrate({"calibrate", file.string(), "--input", kCalibration, "--json"});
  REQUIRE(calibrate.wait() == 0);
  CHECK(calibrate.out() == read_file(folder.path() / "profile.json"));
  Program run({"run", file.string(), "--input", kCalibration, "--json"});
  CHECK(run.wait() == 0);
  CHECK_THAT(run.err(), !Contains("calibrating"));
  CHECK(lines_of(run.out()).size() == 20);
  CHECK(lines_of(run.out())[0]["edges"][0]["layers"] == "1 of 8 + layer 0");
}

TEST_CASE("a profile of other models or other edges is refused before any record, with the reason") {
  const TemporaryFolder folder;
  const auto file = folder.write("mesh.yaml", topology("layers: {ratio: 0.3}", "profile: profile.json\n"));
  Program calibrate({"calibrate", file.string(), "--input", kCalibration});
  REQUIRE(calibrate.wait() == 0);
  const json profile = json::parse(read_file(folder.path() / "profile.json"));

  json other = profile;
  other["edges"][0]["receiver"] = "0123456789abcdef";
  folder.write("profile.json", other.dump());
  Program run({"run", file.string(), "--input", kCalibration, "--json", "--quiet"});
  CHECK(run.wait() == 2);
  CHECK_THAT(run.err(), Contains("profile.json") && Contains("other models") && Contains("solver") &&
                            Contains("0123456789abcdef") &&
                            Contains(profile["edges"][0]["receiver"].get<std::string>()));
  CHECK(run.out().empty());

  other = profile;
  other["edges"][0]["from"] = "writer";
  folder.write("profile.json", other.dump());
  Program check({"check", file.string()});
  CHECK(check.wait() == 2);
  CHECK_THAT(check.err(), Contains("reader -> solver") && Contains("mesh.yaml:9"));
  folder.write("profile.json", "{\"kvmesh_profile\": 9}");
  Program version({"check", file.string()});
  CHECK(version.wait() == 2);
  CHECK_THAT(version.err(), Contains("version 9"));
}

TEST_CASE("recalibrate measures anew on every n-th record while running, and each record has one answer") {
  const TemporaryFolder folder;
  const auto file = folder.write("mesh.yaml", topology("layers: {ratio: 0.3}, recalibrate: {every: 5}"));
  Program run({"run", file.string(), "--input", kCalibration, "--json"});
  REQUIRE(run.wait() == 0);
  CHECK(lines_of(run.out()).size() == 20);
  CHECK(count(run.err(), "calibrating on record tips-001") == 1);
  CHECK(count(run.err(), "anew on record") == 4);
}

TEST_CASE("in a chain across processes, forward: true lets the last agent read what the first one read") {
  const TemporaryFolder folder;
  const auto chain = [&](const std::string& forward) {
    return folder.write("chain.yaml",
                        "kvmesh: 1\nname: chain\nmodels:\n  tiny: {path: " + kTiny +
                            "}\nagents:\n"
                            "  first: {model: tiny, prompt: \"Instruction: {instruction} Context: {one}\"}\n"
                            "  second: {model: tiny, prompt: \"Instruction: {instruction} Context: {two}\"}\n"
                            "  solver: {model: tiny, prompt: \"Instruction: {instruction} Question: {question}\", "
                            "generate: {max_tokens: "
                            "8}}\n"
                            "edges:\n  - {from: first, to: second, medium: kv, layers: all}\n"
                            "  - {from: second, to: solver, medium: kv, layers: all" +
                            forward + "}\noutput: solver\n");
  };
  const std::string instruction =
      "Directly answer the question based on the context passage, no explanation is needed.";
  const auto input =
      folder.write("in.jsonl", json{{"instruction", instruction},
                                    {"one", "The white gate opens with 9739. The code of the green door is 5977."},
                                    {"two", "The green locker opens with 8814."},
                                    {"question", "Which code opens the white gate?"}}
                                   .dump());
  const auto run = [&](const std::string& forward) {
    Program program({"run", chain(forward).string(), "--input", input.string(), "--json", "--quiet"});
    REQUIRE(program.wait() == 0);
    return lines_of(program.out()).at(0);
  };
  const json with = run(", forward: true"), without = run("");
  CHECK(with["output"] == "9739");
  CHECK(without["output"] != "9739");
  CHECK(with["edges"][1]["bytes"] > without["edges"][1]["bytes"]);
}

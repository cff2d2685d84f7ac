// Profiles: measured, written, named by topologies, refused where they do not belong; measuring while running; chains.

#include <nlohmann/json.hpp>

#include "tests/cli/lines.hpp"
#include "tests/support/environment.hpp"
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

TEST_CASE("calibrating by attention twice writes the same file, with fingerprints, scores and ranking") {
  const TemporaryFolder folder;
  const auto file =
      folder.write("mesh.yaml", topology("layers: {ratio: 0.3, by: attention, alpha: 0.9}", "profile: profile.json\n"));
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
  CHECK_FALSE(edge.contains("path"));
  CHECK_THAT(read_file(plot), Contains("steelblue") && Contains("<polyline"));
}

TEST_CASE("calibrating by loss twice writes the same file, with a path for every ratio and losses that check it") {
  const TemporaryFolder folder;
  const auto file = folder.write("mesh.yaml", topology("layers: {ratio: 0.3}", "profile: profile.json\n"));
  const fs::path plot = folder.path() / "profile.svg";
  std::string first;
  for (int time = 0; time < 2; ++time) {
    Program program({"calibrate", file.string(), "--input", kCalibration, "--samples", "4", "--plot", plot.string()});
    REQUIRE(program.wait() == 0);
    CHECK_THAT(program.err(),
               Contains("reader -> solver") && Contains("the record's answer") && Contains("4 record(s)"));
    CHECK_THAT(program.out(), Contains("kept") && Contains("95% of what everything gains") && Contains("knee"));
    const std::string profile = read_file(folder.path() / "profile.json");
    if (time == 0) first = profile;
    CHECK(profile == first);
  }
  const json edge = json::parse(first)["edges"][0];
  CHECK((edge["samples"] == 4 && edge["checks"] == 1));
  REQUIRE(edge["path"].size() == 9);
  for (std::size_t size = 0; size <= 8; ++size) CHECK(edge["path"][size]["layers"].size() == size);
  CHECK(edge["path"][0]["loss"] > edge["path"][8]["loss"]);
  CHECK(edge["path"][0]["checked"] > edge["path"][8]["checked"]);
  CHECK(edge["layer_bytes"].get<double>() > 0);
  CHECK_THAT(read_file(plot), Contains("knee") && Contains("by attention") && Contains("shared: 2 of 8"));

  Program check({"check", file.string()});
  CHECK(check.wait() == 0);
  CHECK_THAT(check.out(), Contains("keep 95% of what everything gains") && Contains("profile.json") &&
                              Contains("the answer of the first input record"));
}

TEST_CASE("a search is kept for the same models, prompts and records, and for no others") {
  const TemporaryFolder folder;
  const EnvironmentVariable cache("KVMESH_TEST_CACHE", (folder.path() / "cache").string());
  const auto run = [&](const std::string& layers, const std::string& prompt = "Question: {question}") {
    std::string text = topology("layers: " + layers, "calibration: " + kCalibration + "\n");
    text.replace(text.find("Question: {question}"), 20, prompt);
    Program program({"run", folder.write("mesh.yaml", text).string(), "--input", kCalibration, "--json"});
    REQUIRE(program.wait() == 0);
    return std::pair(program.err(), program.out());
  };
  const auto first = run("{ratio: 0.3}"), second = run("{ratio: 0.3}"), wider = run("{ratio: 0.5}");
  CHECK_THAT(first.first, Contains("about the work of reading 12000 tokens"));
  CHECK_THAT(second.first, !Contains("about the work") && Contains("chosen by loss before"));
  CHECK(lines_of(first.second)[7]["output"] == lines_of(second.second)[7]["output"]);
  CHECK_THAT(wider.first, Contains("chosen by loss before"));
  CHECK(lines_of(wider.second)[0]["edges"][0]["layers"] == "4 of 8");
  CHECK_THAT(run("{ratio: 0.3}", "Q: {question}").first, Contains("about the work of reading 12000 tokens"));
}

TEST_CASE("SIGINT ends a search soon, and nothing stays behind") {
  const TemporaryFolder folder;
  const auto file = folder.write("mesh.yaml", topology("layers: {ratio: 0.3}"));
  Program program({"calibrate", file.string(), "--input", kCalibration, "--samples", "20"});
  program.wait_until("the search has begun", [&] { return Contains("choosing the layers").match(program.err()); });
  const auto children = program.children();
  program.signal(SIGINT);
  CHECK(program.wait(std::chrono::seconds(30)) == 3);
  CHECK_THAT(program.err(), Contains("SIGINT"));
  for (const auto& [pid, line] : children) CHECK_FALSE(Program::exists(pid));
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
  CHECK(lines_of(run.out())[0]["edges"][0]["layers"] == "1 of 8");
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

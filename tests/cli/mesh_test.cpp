// The main job as a user runs it: real processes, real sockets, the shipped model.

#include <nlohmann/json.hpp>

#include "tests/cli/lines.hpp"
#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = source_dir();
const std::string kTopology = (kRoot / "tests/cli/tiny_mesh/topology.yaml").string();
const std::string kQuestions = (kRoot / "tests/cli/tiny_mesh/questions.jsonl").string();

void check_answers(const std::string& out) {
  std::vector<nlohmann::json> questions = lines_of(read_file(kQuestions)), answers = lines_of(out);
  REQUIRE(answers.size() == questions.size());
  int right = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    CHECK(answers[i]["id"] == questions[i]["id"]);
    right += answers[i]["output"] == questions[i]["answer"];
  }
  // The model is not perfect; without its context it gets next to none of them.
  CHECK(right * 10 >= static_cast<int>(answers.size()) * 7);
}

/// The mesh started by hand: an orchestrator and two agents that connect to `endpoint`.
void run_by_hand(const std::string& endpoint) {
  Program orchestrator({"orchestrate", kTopology, "--bind", endpoint, "--input", kQuestions, "--json"});
  Program reader({"agent", "reader", "--connect", endpoint});
  Program solver({"agent", "solver", "--connect", endpoint});
  CHECK(orchestrator.wait() == 0);
  CHECK(reader.wait() == 0);
  CHECK(solver.wait() == 0);
  check_answers(orchestrator.out());
}

}  // namespace

TEST_CASE("run answers every question of the quickstart through shared KV, one JSON object a line") {
  Program run({"run", kTopology, "--input", kQuestions, "--json"});
  REQUIRE(run.wait() == 0);
  check_answers(run.out());
  for (const auto& line : lines_of(run.out())) {
    CHECK(line["answers"].size() == 1);
    CHECK(line["answers"]["solver"] == line["output"]);
    REQUIRE(line["edges"].size() == 1);
    const auto& edge = line["edges"][0];
    CHECK(edge["from"] == "reader");
    CHECK(edge["to"] == "solver");
    CHECK(edge["medium"] == "kv");
    CHECK(edge["layers"] == "2 of 8");
    CHECK(edge["bytes"].get<int>() > 1000);
    CHECK(line["ttft_ms"].get<double>() >= line["receiver_ttft_ms"].get<double>());
    CHECK(line["receiver_ttft_ms"].get<double>() > 0);
    CHECK_FALSE(line.contains("error"));
  }
}

TEST_CASE("answers do not depend on how many records are on their way, and come in the order of the input") {
  std::vector<std::string> outputs;
  for (const char* concurrency : {"1", "3", "8"}) {
    Program run({"run", kTopology, "--input", kQuestions, "--json", "--concurrency", concurrency});
    REQUIRE(run.wait() == 0);
    check_answers(run.out());
    for (const auto& line : lines_of(run.out())) outputs.push_back(line["output"]);
  }
  const auto one = outputs.size() / 3;
  CHECK(std::equal(outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(2 * one),
                   outputs.begin() + static_cast<std::ptrdiff_t>(one)));
}

TEST_CASE("the same mesh started by hand over ipc gives the answers") {
  const TemporaryFolder folder;
  run_by_hand("ipc://" + (folder.path() / "control").string());
  INFO("socket files that were left behind");
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("the same mesh started by hand over tcp gives the answers") {
  run_by_hand("tcp://127.0.0.1:" + std::to_string(20000 + ::getpid() % 20000));
}

TEST_CASE("an agent that is killed ends the run within five seconds, named in one line, with no process left") {
  const TemporaryFolder folder;
  const auto input = folder.write("many.jsonl", copies_of(kQuestions, 2000));
  Program run({"run", kTopology, "--input", input.string(), "--json"});
  Program::wait_until("the first answer is out", [&] { return run.out().find('\n') != std::string::npos; });
  const auto children = run.children();
  REQUIRE(children.size() == 2);
  const auto solver = std::find_if(children.begin(), children.end(),
                                   [](const auto& child) { return child.second.find("solver") != std::string::npos; });
  REQUIRE(solver != children.end());
  ::kill(solver->first, SIGKILL);
  const auto killed = std::chrono::steady_clock::now();
  CHECK(run.wait() == 3);
  CHECK(std::chrono::steady_clock::now() - killed < std::chrono::seconds(5));
  CHECK_THAT(run.err(), Contains("solver") && Contains("signal 9"));
  for (const auto& [pid, line] : children) CHECK_FALSE(Program::exists(pid));
}

TEST_CASE("SIGTERM ends the run and every agent") {
  const TemporaryFolder folder;
  const auto input = folder.write("many.jsonl", copies_of(kQuestions, 2000));
  Program run({"run", kTopology, "--input", input.string(), "--json"});
  Program::wait_until("the first answer is out", [&] { return run.out().find('\n') != std::string::npos; });
  const auto children = run.children();
  REQUIRE(children.size() == 2);
  run.signal(SIGTERM);
  CHECK(run.wait() != 0);
  for (const auto& [pid, line] : children) CHECK_FALSE(Program::exists(pid));
}

TEST_CASE("an orchestrator that is killed leaves no agent behind") {
  const TemporaryFolder folder;
  const auto input = folder.write("many.jsonl", copies_of(kQuestions, 2000));
  Program run({"run", kTopology, "--input", input.string(), "--json"});
  Program::wait_until("the first answer is out", [&] { return run.out().find('\n') != std::string::npos; });
  const auto children = run.children();
  run.signal(SIGKILL);
  run.wait();
  Program::wait_until("the agents are gone", [&] {
    return std::none_of(children.begin(), children.end(),
                        [](const auto& child) { return Program::exists(child.first); });
  });
}

TEST_CASE("a record that does not fit into the model fails alone, and the run says so with exit status 1") {
  const TemporaryFolder folder;
  auto record = nlohmann::json::parse(read_file(kQuestions).substr(0, read_file(kQuestions).find('\n')));
  const std::string fits = record.dump();
  std::string context;
  for (int i = 0; i < 3000; ++i) context += "Orbit Motors expects a quiet quarter. ";
  record["id"] = "too-long";
  record["context"] = context;
  auto again = nlohmann::json::parse(fits);
  again["id"] = "again";
  const auto input = folder.write("in.jsonl", fits + "\n" + record.dump() + "\n" + again.dump() + "\n");
  Program run({"run", kTopology, "--input", input.string(), "--json"});
  CHECK(run.wait() == 1);
  const auto lines = lines_of(run.out());
  REQUIRE(lines.size() == 3);
  CHECK_FALSE(lines[0].contains("error"));
  CHECK_THAT(lines[1]["error"].get<std::string>(), Contains("reader") && Contains("max_position_embeddings 2048"));
  CHECK(lines[2]["output"] == lines[0]["output"]);
}

TEST_CASE(
    "contexts that fit each sender but not the receiver one behind the other fail alone, or refuse all with --strict") {
  const TemporaryFolder folder;
  const std::string model = (kRoot / "models/tiny").string();
  const auto topology = folder.write("two.yaml", "kvmesh: 1\nname: two\nmodels:\n  tiny: {path: " + model +
                                                     "}\nagents:\n"
                                                     "  left: {model: tiny, prompt: \"{context}\"}\n"
                                                     "  right: {model: tiny, prompt: \"{context}\"}\n"
                                                     "  solver: {model: tiny, prompt: \"{question}\"}\n"
                                                     "edges:\n"
                                                     "  - {from: left, to: solver, medium: kv, layers: all}\n"
                                                     "  - {from: right, to: solver, medium: kv, layers: all}\n"
                                                     "output: solver\n");
  std::string context;
  for (int i = 0; i < 180; ++i) context += "Orbit Motors expects a quiet quarter. ";
  const auto record = [](const std::string& id, const std::string& text) {
    return nlohmann::json{{"id", id}, {"context", text}, {"question", "Who?"}}.dump() + "\n";
  };
  const auto input = folder.write("in.jsonl", record("short", "Nobody.") + record("long", context));
  Program run({"run", topology.string(), "--input", input.string(), "--json"});
  CHECK(run.wait() == 1);
  const auto lines = lines_of(run.out());
  REQUIRE(lines.size() == 2);
  CHECK_FALSE(lines[0].contains("error"));
  CHECK_THAT(lines[1]["error"].get<std::string>(), Contains("in.jsonl:2: record long") && Contains("agent solver") &&
                                                       Contains("max_position_embeddings 2048"));
  Program strict({"run", topology.string(), "--input", input.string(), "--json", "--strict"});
  CHECK(strict.wait() == 2);
  CHECK(strict.out().empty());
  CHECK_THAT(strict.err(), Contains("in.jsonl:2: record long") && !Contains("ready"));
}

TEST_CASE("bad input is refused with exit status 2 and says where") {
  const TemporaryFolder folder;
  Program no_file({"run", kTopology, "--input", "/nowhere/in.jsonl"});
  CHECK(no_file.wait() == 2);
  CHECK_THAT(no_file.err(), Contains("/nowhere/in.jsonl"));
  const auto topology = folder.write("bad.yaml", "kvmesh: 1\nname: x\nmodells: {}\n");
  Program bad({"check", topology.string()});
  CHECK(bad.wait() == 2);
  CHECK_THAT(bad.err(), Contains("bad.yaml:3") && Contains("modells") && Contains("models"));
}

TEST_CASE("agents whose models do not fit are refused by check and by run, with the field and both values") {
  const TemporaryFolder folder;
  const std::string golden = (kRoot / "tests/golden/llama32-tied-headdim").string();
  std::string text = read_file(kTopology);
  text.replace(text.find("../../../models/tiny}"), 21,
               (kRoot / "models/tiny").string() + "}\n  other: {path: " + golden + "}");
  text.replace(text.find("{model: tiny, prompt: \"Instruction: {instruction} Question"), 12, "{model: other");
  text.erase(text.find("calibration:"), text.find('\n', text.find("calibration:")) - text.find("calibration:"));
  const auto topology = folder.write("unfit.yaml", text);
  for (const std::string command : {"check", "run"}) {
    std::vector<std::string> arguments{command, topology.string()};
    if (command == "run") arguments.insert(arguments.end(), {"--input", kQuestions});
    Program program(arguments);
    CHECK(program.wait() == 2);
    CHECK_THAT(program.err(), Contains("rope_theta") && Contains("10000") && Contains("500000"));
  }
}

TEST_CASE("where every record is wrong nothing is started, and each says what is wrong with it") {
  const TemporaryFolder folder;
  std::string context;  // 5 MB
  while (context.size() < 5'000'000) context += "Orbit Motors expects a quiet quarter. ";
  const auto input = folder.write(
      "in.jsonl",
      nlohmann::json{{"id", "long"}, {"instruction", "x"}, {"context", context}, {"question", "Who?"}}.dump() +
          "\n{\"id\": \"poor\"}\n");
  Program run({"run", kTopology, "--input", input.string(), "--json"});
  CHECK(run.wait() == 1);
  const auto lines = lines_of(run.out());
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0]["error"].get<std::string>(), Contains("in.jsonl:1: ") && Contains("more than 2048"));
  CHECK_THAT(lines[1]["error"].get<std::string>(), Contains("in.jsonl:2: ") && Contains("no field"));
  CHECK(run.err().empty());
}

TEST_CASE("the option --samples is refused where there are no calibration records") {
  const TemporaryFolder folder;
  std::string text = read_file(kTopology);
  text.replace(text.find("../../../models"), 15, (kRoot / "models").string());
  const auto at = text.find("calibration:");
  text.erase(at, text.find('\n', at) - at);
  const auto topology = folder.write("plain.yaml", text);
  Program run({"run", topology.string(), "--input", kQuestions, "--samples", "3"});
  CHECK(run.wait() == 2);
  CHECK_THAT(run.err(), Contains("--samples") && Contains("calibration"));
}

TEST_CASE("an edge that shares no layers measures nothing") {
  const TemporaryFolder folder;
  std::string text = read_file(kTopology);
  text.replace(text.find("../../../models"), 15, (kRoot / "models").string());
  const auto at = text.find("calibration:");
  text.erase(at, text.find('\n', at) - at);
  text.replace(text.find("ratio: 0.3"), 10, "top: 0");
  Program run({"run", folder.write("none.yaml", text).string(), "--input", kQuestions, "--json"});
  CHECK(run.wait() == 0);
  CHECK_THAT(run.err(), !Contains("calibrating"));
  CHECK(lines_of(run.out()).at(0)["edges"][0]["layers"] == "0 of 8");
}

TEST_CASE("control characters of an id are shown, not sent to the terminal") {
  const TemporaryFolder folder;
  const auto input = folder.write("in.jsonl", R"({"id": "a\u001b[2Jb", "question": "no more"})"
                                              "\n");
  Program run({"run", kTopology, "--input", input.string()});
  CHECK(run.wait() == 1);
  CHECK_THAT(run.out(), Contains("a\\x1b[2Jb") && !Contains("\x1b"));
  Program strict({"run", kTopology, "--input", input.string(), "--strict"});
  CHECK(strict.wait() == 2);
  CHECK_THAT(strict.err(), Contains("a\\x1b[2Jb") && !Contains("\x1b"));
}

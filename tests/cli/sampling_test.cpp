// How agents draw their tokens, where they stop and what they are told first, in a real mesh.

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/program.hpp"

using namespace kvmesh::test;

namespace {

const std::string kTiny = source_dir().string() + "/models/tiny";
const std::string kDraws = "temperature: 1.5, top_p: 0.95, seed: 7, max_tokens: 12";

/// One agent that is told to `say` a record's field, and what it answers to each of two records with the same text.
class Speaker {
 public:
  explicit Speaker(const std::string& options)
      : topology_(folder_.write("topology.yaml", "kvmesh: 1\nname: speaker\nmodels:\n  tiny: {path: " + kTiny +
                                                     "}\nagents:\n  speaker: {model: tiny, prompt: \"{say}\", " +
                                                     options + "}\noutput: speaker\n")),
        input_(
            folder_.write("in.jsonl",
                          "{\"say\": \"Dora is\", \"who\": \"poet\"}\n{\"say\": \"Dora is\", \"who\": \"poet\"}\n")) {}

  std::vector<std::string> answers() const {
    Program run({"run", topology_.string(), "--input", input_.string(), "--json", "--quiet"});
    const int status = run.wait();
    INFO(run.err());
    REQUIRE(status == 0);
    std::vector<std::string> out;
    std::istringstream lines(run.out());
    for (std::string line; std::getline(lines, line);) out.push_back(nlohmann::json::parse(line)["output"]);
    REQUIRE(out.size() == 2);
    return out;
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path topology_;
  std::filesystem::path input_;
};

std::string generated(std::vector<std::string> options) {
  options.insert(options.begin(), {"generate", kTiny, "--prompt", "Dora is", "--temperature", "1.5", "--top-p", "0.95",
                                   "--seed", "7", "--max-tokens", "12"});
  Program program(options);
  REQUIRE(program.wait() == 0);
  const std::string out = program.out();
  return out.substr(0, out.size() - 1);
}

}  // namespace

TEST_CASE("an agent's draws come from seed and record: the same in every run, and from record to record others") {
  const Speaker speaker("generate: {" + kDraws + "}");
  const auto answers = speaker.answers();
  CHECK(answers[0] != answers[1]);
  CHECK(speaker.answers() == answers);
  CHECK(answers[0] == generated({}));
}

TEST_CASE("an agent's system message is the one that generate takes, filled from the record") {
  const auto answers = Speaker("system: \"You are a {who}.\", generate: {" + kDraws + "}").answers();
  CHECK(answers[0] == generated({"--system", "You are a poet."}));
  CHECK(answers[0] != generated({}));
}

TEST_CASE("an agent's answer ends before a stop string") {
  const std::string whole = Speaker("generate: {" + kDraws + "}").answers()[0];
  REQUIRE(whole.size() > 6);
  const std::string stop = whole.substr(whole.size() / 2, 2);
  const auto answers = Speaker("generate: {" + kDraws + ", stop: [" + nlohmann::json(stop).dump() + "]}").answers();
  CHECK(answers[0] == whole.substr(0, whole.find(stop)));
}

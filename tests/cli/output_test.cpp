// Standard output is checked at every write, for every command, and so is every file that a command writes.

#include "tests/cli/lines.hpp"
#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const std::string kTiny = (source_dir() / "models/tiny").string();
const std::string kData = kTiny + "/data";
const std::string kTopology = (source_dir() / "tests/cli/tiny_mesh/topology.yaml").string();
const std::string kQuestions = (source_dir() / "tests/cli/tiny_mesh/questions.jsonl").string();

}  // namespace

TEST_CASE("every command whose output meets a full disk says so and ends with status 3") {
  const TemporaryFolder folder;
  const std::string chat = folder.write("chat.json", R"({"messages": [{"role": "user", "content": "Hi"}]})").string();
  const std::string pair = " --sender " + kTiny + " --receiver " + kTiny;
  for (const std::string& command : std::vector<std::string>{
           "--version",
           "--help",
           "generate --help",
           "run " + kTopology + " --input " + kQuestions,
           "run " + kTopology + " --input " + kQuestions + " --json",
           "check " + kTopology,
           "inspect " + kTiny,
           "inspect " + kTiny + " --json",
           "generate " + kTiny + " --prompt Hi --max-tokens 4",
           "logits " + kTiny + " --ids 1,2,3",
           "logits " + kTiny + " --ids 1,2,3 --json",
           "tokenize " + kTiny + " < " + chat,
           "render " + kTiny + " --messages " + chat,
           "share" + pair + " --sender-ids 1,2 --receiver-ids 1,2",
           "calibrate " + kTopology + " --input " + kQuestions + " --quiet",
           "eval" + pair + " --data " + kData + " --limit 1 --methods baseline --in-process",
           "demo" + pair + " --data " + kData + " --questions " + kData + "/calibration.jsonl --limit 1",
       }) {
    CAPTURE(command);
    Program full = Program::shell("kvmesh " + command + " > /dev/full");
    CHECK(full.wait() == 3);
    CHECK_THAT(full.err(), Contains("kvmesh: standard output cannot be written (No space left on device)"));
  }
}

TEST_CASE("standard output that is closed is an error, not another file's content") {
  Program closed = Program::shell("kvmesh check " + kTopology + " >&-");
  CHECK(closed.wait() == 3);
  CHECK_THAT(closed.err(), Contains("standard output cannot be written"));
}

TEST_CASE("a full disk stops a run at the first answer that cannot be written, and no process is left") {
  const TemporaryFolder folder;
  const auto input = folder.write("many.jsonl", copies_of(kQuestions, 2000));
  Program run = Program::shell("setsid --wait bash -c 'kvmesh run " + kTopology + " --input " + input.string() +
                               " --json > /dev/full; status=$?; ps -s $$ -o args=; exit $status'");
  CHECK(run.wait() == 3);
  CHECK_THAT(run.out(), Contains("ps -s") && !Contains("agent reader") && !Contains("agent solver"));
}

TEST_CASE("a reader that goes away stops a run: quietly, by SIGPIPE, with its agents ended") {
  const TemporaryFolder folder;
  const auto input = folder.write("many.jsonl", copies_of(kQuestions, 2000));
  Program run = Program::shell("kvmesh run " + kTopology + " --input " + input.string() +
                               " --json --quiet | head -n 1; exit ${PIPESTATUS[0]}");
  CHECK(run.wait() == 128 + SIGPIPE);
  CHECK(lines_of(run.out()).size() == 1);
  CHECK(run.err().empty());
}

TEST_CASE("files that are written when the work is done are tried before it begins") {
  const std::string nowhere = "/nowhere/file";
  const std::string eval = "eval --sender " + kTiny + " --receiver " + kTiny + " --data " + kData + " --methods kv:all";
  for (const auto& [command, option] : std::vector<std::pair<std::string, std::string>>{
           {"calibrate " + kTopology + " --input " + kQuestions + " --output " + nowhere, "--output"},
           {"calibrate " + kTopology + " --input " + kQuestions + " --plot " + nowhere, "--plot"},
           {eval + " --plot " + nowhere, "--plot"},
           {eval + " --curve " + nowhere, "--curve"},
           {eval + " --emit /dev/null/folder", "--emit"},
       }) {
    CAPTURE(command);
    Program early = Program::shell("kvmesh " + command);
    CHECK(early.wait() == 2);
    CHECK_THAT(early.err(), Contains("kvmesh: " + option + ": ") && !Contains("ready"));
    CHECK(early.out().empty());
  }
}

TEST_CASE("a command that fails leaves the file that it would have written as it was") {
  const TemporaryFolder folder;
  const auto kept = folder.write("kept.json", "what stood there");
  const fs::path made = folder.path() / "made.json";
  const auto records = folder.write("in.jsonl", R"({"context": "no question"})"
                                                "\n");
  for (const fs::path& file : {kept, made}) {
    Program calibrate({"calibrate", kTopology, "--input", records.string(), "--output", file.string()});
    CHECK(calibrate.wait() != 0);
  }
  CHECK(read_file(kept) == "what stood there");
  CHECK_FALSE(fs::exists(made));
}

TEST_CASE("a profile that meets a full disk is an error with status 3") {
  Program calibrate({"calibrate", kTopology, "--input", kQuestions, "--output", "/dev/full", "--quiet"});
  CHECK(calibrate.wait() == 3);
  CHECK_THAT(calibrate.err(), Contains("--output: /dev/full") && Contains("No space left on device"));
}

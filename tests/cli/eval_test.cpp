// kvmesh eval: methods through real meshes and in one process, on the shipped model.

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/cli/lines.hpp"
#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string kTiny = source_dir().string() + "/models/tiny";
const std::string kData = kTiny + "/data";

std::vector<std::string> eval_arguments(std::vector<std::string> rest) {
  std::vector<std::string> all{"eval", "--sender", kTiny, "--receiver", kTiny};
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

/// Rows of `kvmesh eval --json` by method and task.
std::map<std::pair<std::string, std::string>, json> rows_of(std::vector<std::string> rest) {
  rest.push_back("--json");
  Program program(eval_arguments(std::move(rest)));
  REQUIRE(program.wait() == 0);
  std::map<std::pair<std::string, std::string>, json> rows;
  for (const json& row : lines_of(program.out())) rows[{row["method"], row["task"]}] = row;
  return rows;
}

/// Questions whose answers stand in the context, a file of them.
fs::path write_items(const TemporaryFolder& folder, const std::string& name, const std::vector<json>& items) {
  std::string text;
  for (const json& item : items) text += item.dump() + "\n";
  return folder.write(name, text);
}

json where_item(const std::string& person, const std::string& place, const std::string& answer) {
  return {{"context", "Yusuf is waiting near the Douro Valley. " + person + " is at the " + place + "."},
          {"question", "In which country is " + person + "?"},
          {"answer", answer}};
}

}  // namespace

TEST_CASE("every method has a row for each task and one over all, with scores, intervals, bytes, tokens and times") {
  const std::string methods =
      "baseline,skyline,kv:0.3,kv:0.3:by=attention,kv:all,top:2,random:0.3:7,contiguous:0.3,nld,nld:aware,cipher,ac:"
      "replace,ac:sum:4:5,ac:"
      "mean";
  const auto rows = rows_of({"--data", kData, "--limit", "2", "--in-process", "--methods", methods});
  REQUIRE(rows.size() == 14 * 6);
  for (const auto& [key, row] : rows) {
    CAPTURE(row.dump());
    CHECK(row["items"] == (row["task"] == "all" ? 10 : 2));
    CHECK(row["failed"] == 0);
    CHECK(row["exact_match_low"] <= row["exact_match"]);
    CHECK(row["exact_match"] <= row["exact_match_high"]);
    CHECK(row["f1"] >= row["exact_match"]);
    CHECK(row["contains"] >= row["exact_match"]);
    CHECK(row["answer_nats"].get<double>() > 0);
    CHECK(row["answer_nats_low"] <= row["answer_nats"]);
    CHECK(row["answer_nats"] <= row["answer_nats_high"]);
    CHECK(row["prefill_tokens"].get<double>() > 10);
    CHECK(row["flops"].get<double>() > 1e6);
    CHECK(row["ttft_ms"].get<double>() >= row["receiver_ttft_ms"].get<double>());
    CHECK(row["ttft_p95_ms"].get<double>() >= row["ttft_ms"].get<double>());
  }
  const auto all = [&](const std::string& method, const std::string& name) {
    return rows.at({method, "all"}).at(name).get<double>();
  };
  CHECK(all("skyline", "exact_match") > 0.7);
  CHECK(all("kv:0.3", "exact_match") > 0.7);
  CHECK(all("baseline", "exact_match") < 0.4);
  CHECK(all("baseline", "carried") == 0);
  CHECK(all("skyline", "carried") == 1);
  CHECK(all("kv:all", "carried") > 0.8);
  CHECK(all("kv:all", "carried") == Approx((all("baseline", "answer_nats") - all("kv:all", "answer_nats")) /
                                           (all("baseline", "answer_nats") - all("skyline", "answer_nats"))));
  CHECK(all("baseline", "bytes") == 0);
  CHECK(all("skyline", "bytes") == 0);
  CHECK(all("kv:0.3", "bytes") < all("kv:all", "bytes"));
  // Envelopes name the mesh, which is called after its method.
  CHECK(all("top:2", "bytes") == Approx(all("kv:0.3", "bytes")).epsilon(0.01));
  CHECK(all("nld", "generated_tokens") > all("baseline", "generated_tokens"));
  CHECK(rows.at({"kv:0.3", "all"})["layers"] == "2 of 8");
  CHECK(rows.at({"kv:0.3:by=attention", "all"})["layers"] == "2 of 8 + layer 0");
}

TEST_CASE("threads of one process give the scores, bytes, tokens and operations that real processes give") {
  const std::vector<std::string> common{"--data", kData,       "--limit",
                                        "1",      "--methods", "baseline,skyline,kv:0.3,nld,cipher,ac:sum"};
  auto in_process = common;
  in_process.push_back("--in-process");
  const auto threads = rows_of(in_process), processes = rows_of(common);
  REQUIRE(threads.size() == processes.size());
  for (const auto& [key, row] : processes)
    for (const char* name : {"exact_match", "f1", "contains", "answer_nats", "carried", "bytes", "prefill_tokens",
                             "generated_tokens", "flops", "layers"}) {
      CAPTURE(key.first, key.second, name);
      if (std::string(name) == "bytes")  // envelopes name the mesh and the request
        CHECK(threads.at(key)[name].get<double>() == Approx(row[name].get<double>()).epsilon(0.01));
      else CHECK(threads.at(key)[name] == row[name]);
    }
}

TEST_CASE("without baseline or skyline nothing is carried, and it says how to get it") {
  Program program(eval_arguments({"--data", kData, "--limit", "1", "--methods", "skyline", "--in-process", "--json"}));
  REQUIRE(program.wait() == 0);
  CHECK_THAT(program.err(), Contains("carried is empty") && Contains("put both among --methods"));
  for (const json& row : lines_of(program.out())) {
    CHECK(row["carried"].is_null());
    CHECK(row["answer_nats"].is_number());
  }
}

TEST_CASE("an exported topology gives the same answers when it is run") {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "export";
  rows_of({"--data", kData, "--limit", "2", "--in-process", "--methods", "kv:0.3:wire=int4,random:0.5:3,nld,ac:sum",
           "--emit", out.string()});
  for (const std::string method : {"kv-0.3-wire-int4", "random-0.5-3", "nld", "ac-sum"}) {
    CAPTURE(method);
    Program run(
        {"run", (out / (method + ".yaml")).string(), "--input", (out / "input.jsonl").string(), "--json", "--quiet"});
    REQUIRE(run.wait() == 0);
    const auto ran = lines_of(run.out()), want = lines_of(read_file(out / (method + ".answers.jsonl")));
    REQUIRE(ran.size() == want.size());
    for (std::size_t i = 0; i < ran.size(); ++i) {
      CHECK(ran[i]["id"] == want[i]["id"]);
      CHECK(ran[i]["output"] == want[i]["output"]);
    }
  }
}

TEST_CASE("without calibration.jsonl the first record of each task calibrates, is left out, and it says so") {
  const TemporaryFolder folder;
  json other = where_item("Dora", "Louvre", "France");
  other["task"] = "other";
  const auto data = write_items(folder, "places.jsonl",
                                {where_item("Dora", "Forbidden City", "China"), where_item("Marco", "Louvre", "France"),
                                 other, other, where_item("Dora", "Louvre", "France")});
  Program program(eval_arguments({"--data", data.string(), "--methods", "kv:0.3", "--in-process", "--json"}));
  REQUIRE(program.wait() == 0);
  CHECK_THAT(program.err(), Contains("first record of each task, 2 in all"));
  std::map<std::string, int> items;
  for (const json& row : lines_of(program.out())) items[row["task"]] = row["items"].get<int>();
  CHECK(items == std::map<std::string, int>{{"places", 2}, {"other", 1}, {"all", 3}});
}

TEST_CASE("the released code's files are read as they are") {
  const TemporaryFolder folder;
  std::vector<json> items;
  for (const char* answer : {"y", "label", "answer", "country"})
    items.push_back(
        {{"prompt_A", "Dora is at the Louvre."},
         {"prompt_B", "In which country is Dora?"},
         {answer, std::string(answer) == "y" ? json(json::array({"France", "french republic"})) : json("France")}});
  const auto rows = rows_of(
      {"--data", write_items(folder, "countries.jsonl", items).string(), "--methods", "skyline", "--in-process"});
  CHECK(rows.at({"skyline", "countries"})["items"] == 3);
  CHECK(rows.at({"skyline", "all"})["exact_match"] == 1.0);
}

TEST_CASE("items with several contexts have a reader each, one sender serving all, beside items with one") {
  const TemporaryFolder folder;
  const json two = {{"contexts", {"Marco is at the Forbidden City.", "Dora is at the Louvre."}},
                    {"question", "In which country is Dora?"},
                    {"answers", {"France"}}};
  const auto data =
      write_items(folder, "mixed.jsonl",
                  {two, two, where_item("Dora", "Louvre", "France"), where_item("Marco", "Louvre", "France")});
  const auto rows =
      rows_of({"--data", data.string(), "--methods", "kv:all,skyline,nld,cipher,ac:mean", "--in-process"});
  CHECK(rows.at({"kv:all", "all"})["items"] == 2);
  CHECK(rows.at({"kv:all", "all"})["failed"] == 0);
  CHECK(rows.at({"nld", "all"})["failed"] == 0);

  Program program({"eval", "--sender", kTiny, "--sender", kTiny, "--receiver", kTiny, "--data", data.string()});
  CHECK(program.wait() == 2);
  CHECK_THAT(program.err(), Contains("1 context(s)") && Contains("2 senders"));
}

TEST_CASE("contexts that are too long lose their middle, and it says how many") {
  const TemporaryFolder folder;
  json item = where_item("Dora", "Louvre", "France");
  std::string filler;
  for (int i = 0; i < 400; ++i) filler += "Orbit Motors expects a quiet quarter. ";
  item["context"] = "Dora is at the Louvre. " + filler + "Marco is at the Forbidden City.";
  const auto data = write_items(folder, "long.jsonl", {where_item("Dora", "Louvre", "France"), item});
  Program program(eval_arguments({"--data", data.string(), "--methods", "skyline,kv:all", "--in-process", "--json"}));
  REQUIRE(program.wait() == 0);
  CHECK_THAT(program.err(), Contains("1 item(s) were too long"));
  for (const json& row : lines_of(program.out())) {
    CHECK(row["failed"] == 0);
    CHECK(row["prefill_tokens"].get<double>() > 1900);
    CHECK(row["prefill_tokens"].get<double>() <= 2048);
  }
}

TEST_CASE("a method that does not fit the models is refused before any has run, with the numbers") {
  const std::string other = source_dir().string() + "/tests/golden/llama32-tied-headdim";
  Program program({"eval", "--sender", other, "--receiver", kTiny, "--data", kData, "--methods", "baseline,cipher"});
  CHECK(program.wait() == 2);
  CHECK_THAT(program.err(), Contains("cipher") && Contains("128"));
  CHECK(program.out().empty());
  for (const std::string method : {"kv:2", "kv", "ac:max", "ac:sum:3", "nld:deaf", "telepathy", "kv:0.3:beta=1"}) {
    Program bad(eval_arguments({"--data", kData, "--methods", method}));
    CHECK(bad.wait() == 2);
    CHECK_THAT(bad.err(), Contains(method.substr(0, method.find(':'))));
  }
}

TEST_CASE("a table, CSV and two drawings come of the same rows") {
  const TemporaryFolder folder;
  const fs::path curve = folder.path() / "curve.svg", plot = folder.path() / "plot.svg";
  const std::vector<std::string> common{"--data",       kData,       "--limit",        "1",
                                        "--in-process", "--methods", "baseline,kv:0.3"};
  auto csv = common;
  csv.insert(csv.end(), {"--csv", "--plot", plot.string(), "--curve", curve.string()});
  Program program(eval_arguments(csv));
  REQUIRE(program.wait() == 0);
  std::istringstream lines(program.out());
  std::string head;
  std::getline(lines, head);
  CHECK_THAT(head, Catch::StartsWith("method,task,items,failed,exact_match,"));
  std::set<std::string> methods;
  for (std::string line; std::getline(lines, line);) methods.insert(line.substr(0, line.find(',')));
  CHECK(methods.size() == 2 + 8);
  CHECK(methods.count("top:8") == 1);
  CHECK_THAT(read_file(curve), Contains("<polyline") && Contains("top:8") && Contains("baseline"));
  CHECK_THAT(read_file(plot), Contains("kv:0.3"));

  Program table(eval_arguments(common));
  REQUIRE(table.wait() == 0);
  CHECK_THAT(table.out(),
             Contains("task tips, 1 items") && Contains("task all, 5 items") && Contains("receiver_ttft_ms"));
}

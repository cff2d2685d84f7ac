#include "orchestrator/records.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/prompt.hpp"
#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using Catch::Matchers::Contains;
using kvmesh::orchestrator::test::Folder;

TEST_CASE("each record has an id: its own, or one after its line") {
  const Folder folder;
  const auto records =
      read_records(folder.write("in.jsonl", "{\"id\": \"a\", \"x\": 1}\n\n  \n{\"x\": 2}\r\n{\"id\": 7}"));
  REQUIRE(records.all.size() == 3);
  CHECK(records.all[0]["id"] == "a");
  CHECK(records.all[1]["id"] == "record-4");
  CHECK(records.all[1]["x"] == 2);
  CHECK(records.all[2]["id"] == "7");
  CHECK(records.place(2) == folder.file("in.jsonl").string() + ":5");
}

TEST_CASE("a record that is wrong is named with file and line") {
  const Folder folder;
  const auto complaint_of = [&](const std::string& text) {
    try {
      read_records(folder.write("in.jsonl", text));
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(complaint_of("{}\n{\"a\": }\n"), Contains("in.jsonl:2:7: not JSON"));
  CHECK_THAT(complaint_of("{}\n{\"a\": 1, \"a\": 2}\n"), Contains("in.jsonl:2:") && Contains("\"a\" stands twice"));
  CHECK_THAT(complaint_of("{\"a\": 1e400}\n"), Contains("in.jsonl:1:") && Contains("1e400"));
  CHECK_THAT(complaint_of("[1]\n"), Contains("in.jsonl:1: ") && Contains("array"));
  CHECK_THAT(complaint_of("{\"id\": null}\n"), Contains("in.jsonl:1: ") && Contains("null"));
  CHECK_THAT(complaint_of("{\"id\": \"a\"}\n{\"id\": \"a\"}\n"), Contains("in.jsonl:2: ") && Contains("line 1"));
  CHECK_THAT(complaint_of("\n \n"), Contains("in.jsonl holds no record"));
}

TEST_CASE("a whole number beyond 64 bits keeps every digit") {
  const Folder folder;
  const auto records = read_records(folder.write("in.jsonl", "{\"n\": 123456789012345678901234567890}"));
  CHECK(render_prompt({.name = "a", .model = "", .prompt = "{n}"}, records.all[0]).at(0).text ==
        "123456789012345678901234567890");
}

TEST_CASE("a file of records that is not there is named") {
  CHECK_THROWS_WITH(read_records("/nowhere/in.jsonl"), Contains("/nowhere/in.jsonl"));
  CHECK_THROWS_WITH(read_records("/tmp"), Contains("/tmp is a folder"));
}

#include "orchestrator/records.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using Catch::Matchers::Contains;
using kvmesh::orchestrator::test::Folder;

TEST_CASE("each record has an id: its own, or one after its line") {
  const Folder folder;
  const auto records =
      read_records(folder.write("in.jsonl", "{\"id\": \"a\", \"x\": 1}\n\n  \n{\"x\": 2}\r\n{\"id\": 7}"));
  REQUIRE(records.size() == 3);
  CHECK(records[0]["id"] == "a");
  CHECK(records[1]["id"] == "record-4");
  CHECK(records[1]["x"] == 2);
  CHECK(records[2]["id"] == "7");
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
  CHECK_THAT(complaint_of("{}\n{\"a\": }\n"), Contains("in.jsonl:2: not JSON (column 7)"));
  CHECK_THAT(complaint_of("[1]\n"), Contains("in.jsonl:1: ") && Contains("array"));
  CHECK_THAT(complaint_of("{\"id\": null}\n"), Contains("in.jsonl:1: ") && Contains("null"));
  CHECK_THAT(complaint_of("{\"id\": \"a\"}\n{\"id\": \"a\"}\n"), Contains("in.jsonl:2: ") && Contains("line 1"));
  CHECK_THAT(complaint_of("\n \n"), Contains("in.jsonl holds no record"));
}

TEST_CASE("a file of records that is not there is named") {
  CHECK_THROWS_WITH(read_records("/nowhere/in.jsonl"), Contains("/nowhere/in.jsonl"));
  CHECK_THROWS_WITH(read_records("/tmp"), Contains("/tmp"));
}

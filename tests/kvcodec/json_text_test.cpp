#include "kvcodec/wire/json_text.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.hpp"

using kvmesh::Error;
using kvmesh::wire::parse_json;
using kvmesh::wire::parse_ordered_json;

namespace {

std::string complaint(const std::string& text, const kvmesh::wire::JsonRules& rules = {}) {
  try {
    parse_json(text, {.file = "config.json"}, rules);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("JSON text is read as nlohmann reads it") {
  for (const std::string text : {R"({"a": [1, -2, 2.5, "x\u00e9", null, true], "b": {"c": {}}, "": []})", "3", "\"s\"",
                                 "[[[]]]", "18446744073709551615", "-9223372036854775808", "1e3", " {} \n"}) {
    INFO(text);
    CHECK(parse_json(text, {.file = "f"}) == nlohmann::json::parse(text));
  }
}

TEST_CASE("keys keep their order where that is asked for") {
  CHECK(parse_ordered_json(R"({"b": 1, "a": {"d": 2, "c": 3}})", {.file = "f"}).dump() ==
        R"({"b":1,"a":{"d":2,"c":3}})");
}

TEST_CASE("a syntax error is said with file, line and column") {
  CHECK(complaint("{\n  \"a\": 1,\n  b\n}").starts_with("config.json:3:3: not JSON: syntax error"));
  CHECK(complaint("").starts_with("config.json:1:1: not JSON: "));
  CHECK(complaint("{} x").starts_with("config.json:1:4: not JSON: "));
  CHECK(complaint("[1,").starts_with("config.json:1:4: not JSON: "));
}

TEST_CASE("lines count on from where the text stands in its file") {
  CHECK_THROWS_WITH(parse_json("{\"a\" 1}", {.file = "r.jsonl", .line = 17}), Catch::StartsWith("r.jsonl:17:6: "));
}

TEST_CASE("numbers that Python writes and JSON does not have are named") {
  CHECK(complaint(R"({"theta": Infinity})") ==
        "config.json:1:11: Infinity is not JSON, though Python writes it; put a number or null there");
  CHECK(complaint(R"({"theta": -Infinity})").starts_with("config.json:1:11: -Infinity is not JSON"));
  CHECK(complaint("[\n NaN]").starts_with("config.json:2:2: NaN is not JSON"));
}

TEST_CASE("a key that stands twice in an object is refused") {
  CHECK(complaint("{\"a\": 1,\n \"a\": 2}") ==
        "config.json:2:4: the key \"a\" stands twice in one object; remove one of the two");
  CHECK(complaint(R"([{"a": 1}, {"a": 2}])") == "none");
}

TEST_CASE("whole numbers beyond 64 bits are refused, or kept as their digits") {
  const std::string digits = "123456789012345678901234567890";
  CHECK(complaint("[" + digits + "]").find("the whole number " + digits + " is beyond 64 bits") != std::string::npos);
  CHECK(parse_json("[-" + digits + "]", {.file = "f"}, {.big_numbers_as_text = true})[0] == "-" + digits);
}

TEST_CASE("a number that a double cannot hold is refused") {
  CHECK(complaint("[1e400]").starts_with("config.json:1:"));
  CHECK(complaint("[1e400]").find("the number 1e400 is beyond a double") != std::string::npos);
}

TEST_CASE("nesting is bounded, and a bound that is kept costs no stack") {
  CHECK(complaint(nested(128)) == "none");
  CHECK(complaint(nested(129)).find("nested more than 128 deep") != std::string::npos);
  CHECK(complaint(nested(1'000'000)).find("nested more than 128 deep") != std::string::npos);
}

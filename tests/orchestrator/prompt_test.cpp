#include "orchestrator/prompt.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

std::vector<bus::PromptPiece> render(const std::string& prompt, json record) {
  record["id"] = "q3";
  return render_prompt({.name = "solver", .model = "tiny", .prompt = prompt}, record);
}

}  // namespace

TEST_CASE("fields are filled in: strings as they are, numbers as JSON writes them") {
  const auto pieces = render("Q: {question} ({n}, {x})", {{"question", "who {n}?"}, {"n", 12}, {"x", 0.5}});
  CHECK(pieces == std::vector<bus::PromptPiece>{{.text = "Q: who {n}? (12, 0.5)", .from = ""}});
}

TEST_CASE("a sender's place stays a piece of its own") {
  const auto pieces = render("A {from.reader} B{from.drafter}", json::object());
  CHECK(pieces == std::vector<bus::PromptPiece>{{.text = "A ", .from = ""},
                                                {.text = "", .from = "reader"},
                                                {.text = " B", .from = ""},
                                                {.text = "", .from = "drafter"}});
  CHECK(senders_in("{from.b}{from.a}{from.b}{x}") == std::vector<std::string>{"b", "a"});
}

TEST_CASE("a system message takes fields of the record too") {
  AgentSpec agent;
  agent.name = "solver";
  agent.system = "Be {style}, {{always}}.";
  CHECK(render_system(agent, {{"id", "q3"}, {"style", "brief"}}) == "Be brief, {always}.");
  CHECK_THROWS_WITH(render_system(agent, {{"id", "q3"}}), Contains("record q3") && Contains("\"style\""));
}

TEST_CASE("doubled braces are braces") {
  CHECK(render("{{question}} }}{{", json::object()).at(0).text == "{question} }{");
}

TEST_CASE("a missing field is named with its record and agent") {
  CHECK_THROWS_WITH(render("{context}", {{"question", "x"}}),
                    Contains("record q3") && Contains("\"context\"") && Contains("agent solver"));
}

TEST_CASE("a field that is no text is refused with its type") {
  for (const json& value : {json::array({1}), json(nullptr), json(true), json::object()}) {
    CHECK_THROWS_WITH(render("{context}", {{"context", value}}), Contains("record q3") && Contains(value.type_name()));
  }
}

TEST_CASE("a brace inside of a marker and one that crosses a line are refused") {
  CHECK_THROWS_WITH(parse_prompt("{a{b}"), Contains("inside of a marker"));
  CHECK_THROWS_WITH(parse_prompt("{a\nb}"), Contains("not closed on its line"));
  CHECK_THROWS_WITH(parse_prompt("{a", "mesh.yaml:7: the prompt"), Contains("mesh.yaml:7: the prompt: "));
}

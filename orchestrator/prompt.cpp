#include "orchestrator/prompt.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace kvmesh::orchestrator {
namespace {

constexpr std::string_view kFromPrefix = "from.";

/// What stands between a single '{' and its '}'.
PromptPart marker(std::string name, const std::string& place) {
  if (name.empty()) fail_input(place, ": \"{}\" names no field; write {field}, or {{}} for a pair of braces");
  if (name.find('{') != std::string::npos) {
    fail_input(place, ": \"{", name,
               "}\" opens a brace inside of a marker; write {{ for a brace that is meant as text");
  }
  if (name.find('\n') != std::string::npos) {
    fail_input(place, ": a brace is opened and not closed on its line; write {{ for a brace that is meant as text");
  }
  if (!name.starts_with(kFromPrefix)) return {PromptPart::Kind::kField, std::move(name)};
  if (name.size() == kFromPrefix.size()) fail_input(place, ": \"{from.}\" names no sender; write {from.NAME}");
  return {PromptPart::Kind::kFrom, name.substr(kFromPrefix.size())};
}

/// A field's value as text; a number as JSON writes it.
std::string text_of_field(const AgentSpec& agent, const std::string& field, const nlohmann::json& record) {
  const std::string id = record_id(record);
  const auto found = record.find(field);
  if (found == record.end()) {
    fail_input("record ", id, " has no field \"", field, "\", which the prompt of agent ", agent.name,
               " needs; add it to the record, or write {{", field, "}} if the prompt means the braces");
  }
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number()) return found->dump();
  fail_input("record ", id, ": field \"", field, "\" is of type ", found->type_name(), ", and the prompt of agent ",
             agent.name, " can only take a string or a number; change it in the record");
}

void append_text(std::vector<bus::PromptPiece>& pieces, const std::string& text) {
  if (pieces.empty() || !pieces.back().from.empty()) pieces.emplace_back();
  pieces.back().text += text;
}

}  // namespace

std::vector<PromptPart> parse_prompt(const std::string& prompt, const std::string& place) {
  std::vector<PromptPart> parts;
  std::string text;
  const auto flush = [&] {
    if (!text.empty()) parts.push_back({PromptPart::Kind::kText, std::exchange(text, {})});
  };
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    const char c = prompt[i];
    const bool doubled = i + 1 < prompt.size() && prompt[i + 1] == c;
    if (c != '{' && c != '}') {
      text += c;
    } else if (doubled) {
      text += c;
      ++i;
    } else if (c == '}') {
      fail_input(place, ": a \"}\" closes nothing; write }} for a brace that is meant as text");
    } else {
      const std::size_t end = prompt.find('}', i);
      if (end == std::string::npos) {
        fail_input(place, ": the \"{\" in \"", prompt.substr(i, 20),
                   "\" is never closed; close it, or write {{ instead");
      }
      flush();
      parts.push_back(marker(prompt.substr(i + 1, end - i - 1), place));
      i = end;
    }
  }
  flush();
  return parts;
}

std::vector<std::string> senders_in(const std::string& prompt) {
  std::vector<std::string> senders;
  for (const PromptPart& part : parse_prompt(prompt)) {
    if (part.kind != PromptPart::Kind::kFrom) continue;
    if (std::find(senders.begin(), senders.end(), part.text) == senders.end()) senders.push_back(part.text);
  }
  return senders;
}

std::string record_id(const nlohmann::json& record) {
  if (!record.is_object())
    fail_input("a record is of type ", record.type_name(), ", and must be an object of fields; write {\"field\": ...}");
  const auto id = record.find("id");
  if (id == record.end()) return "";
  if (!id->is_string()) fail_input("the id of a record is ", id->dump(), "; make it a text");
  return id->get<std::string>();
}

std::vector<bus::PromptPiece> render_prompt(const AgentSpec& agent, const nlohmann::json& record) {
  std::vector<bus::PromptPiece> pieces;
  for (const PromptPart& part : parse_prompt(agent.prompt)) {
    switch (part.kind) {
      case PromptPart::Kind::kText: append_text(pieces, part.text); break;
      case PromptPart::Kind::kField: append_text(pieces, text_of_field(agent, part.text, record)); break;
      case PromptPart::Kind::kFrom: pieces.push_back({.text = "", .from = part.text}); break;
    }
  }
  return pieces;
}

std::string render_system(const AgentSpec& agent, const nlohmann::json& record) {
  std::string text;
  for (const PromptPart& part : parse_prompt(agent.system))
    text += part.kind == PromptPart::Kind::kField ? text_of_field(agent, part.text, record) : part.text;
  return text;
}

}  // namespace kvmesh::orchestrator

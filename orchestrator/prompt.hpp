#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "orchestrator/topology.hpp"

/// Prompts are templates: "{field}" takes a field of the input record, "{from.NAME}" is the place of what the sender
/// NAME says, "{{" and "}}" are braces.
namespace kvmesh::orchestrator {

struct PromptPart {
  enum class Kind { kText, kField, kFrom };
  Kind kind = Kind::kText;
  std::string text;  ///< the text, the field's name, or the sender's name
  bool operator==(const PromptPart&) const = default;
};

/// Throws Error{kFixInput} that says which brace is wrong and why, after `place` ("mesh.yaml:7: the prompt").
std::vector<PromptPart> parse_prompt(const std::string& prompt, const std::string& place = "the prompt");

/// The names in "{from.NAME}", in order, each once.
std::vector<std::string> senders_in(const std::string& prompt);

/// The "id" of a record; empty where it has none. Throws Error{kFixInput} where the record is no object, or its id no
/// text.
std::string record_id(const nlohmann::json& record);

/// `agent`'s prompt for one record, an object with an "id": strings as they are, numbers as JSON writes them. Throws
/// Error{kFixInput} that names record and field where that is missing or neither of the two.
std::vector<bus::PromptPiece> render_prompt(const AgentSpec& agent, const nlohmann::json& record);

/// `agent`'s system message for one record, from fields alone; errors as above.
std::string render_system(const AgentSpec& agent, const nlohmann::json& record);

}  // namespace kvmesh::orchestrator

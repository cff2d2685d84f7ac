#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "llm/text/chat_template.hpp"
#include "llm/text/tokenizer.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::cli {

/// How long a text is, as far as it was worth counting.
struct PromptLength {
  std::int64_t tokens = 0;
  bool or_more = false;  ///< the text goes on, and is too long already
};
/// "512", "more than 2048".
std::string to_string(const PromptLength& length);

/// How long texts are to one model, as its agents will count them. Reads tokenizer, chat template and config.json, no
/// weights.
class PromptSizer {
 public:
  /// Throws Error{kFixInput} for a folder without a tokenizer. Without a chat template, prompts count as they are.
  explicit PromptSizer(const std::filesystem::path& model);

  /// Positions that a sequence may take (llm::ModelConfig::position_limit).
  std::int64_t positions() const { return positions_; }
  /// For messages: llm::describe_position_limit.
  const std::string& described_limit() const { return described_limit_; }

  /// Tokens of `agent`'s prompt for one record. What will come over text and embedding edges counts as nothing. Throws
  /// Error{kFixInput} for a field that the record lacks.
  std::int64_t tokens(const orchestrator::AgentSpec& agent, const nlohmann::json& record) const;

  /// The same where it is only asked whether they fit: of a text that is much too long no more than its beginning is
  /// tokenized.
  PromptLength length(const orchestrator::AgentSpec& agent, const nlohmann::json& record) const;

  /// About how many tokens it takes to say `text`.
  std::int64_t said_tokens(const std::string& text) const;

  /// `text` without about `cut` tokens of its middle.
  std::string without_middle(const std::string& text, std::int64_t cut) const;

 private:
  std::string text_of(const orchestrator::AgentSpec& agent, const nlohmann::json& record) const;
  bool in_chat(const orchestrator::AgentSpec& agent) const { return agent.chat && template_; }

  llm::Tokenizer tokenizer_;
  std::optional<llm::ChatTemplate> template_;
  std::int64_t positions_ = 0;
  std::string described_limit_;
};

}  // namespace kvmesh::cli

#include "cli/prompt_sizer.hpp"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "llm/model/config.hpp"
#include "orchestrator/prompt.hpp"

namespace kvmesh::cli {

std::string to_string(const PromptLength& length) {
  return (length.or_more ? "more than " : "") + std::to_string(length.tokens);
}

PromptSizer::PromptSizer(const std::filesystem::path& model) : tokenizer_(llm::Tokenizer::load(model)) {
  const llm::ModelConfig config = llm::read_config(model);
  positions_ = config.position_limit;
  described_limit_ = llm::describe_position_limit(config);
  if (llm::ChatTemplate::exists(model)) template_.emplace(llm::ChatTemplate::load(model));
}

std::string PromptSizer::text_of(const orchestrator::AgentSpec& agent, const nlohmann::json& record) const {
  std::string text;
  for (const bus::PromptPiece& piece : orchestrator::render_prompt(agent, record)) text += piece.text;
  return in_chat(agent) ? template_->render_user_turn(text, orchestrator::render_system(agent, record)) : text;
}

std::int64_t PromptSizer::tokens(const orchestrator::AgentSpec& agent, const nlohmann::json& record) const {
  const std::string text = text_of(agent, record);
  return static_cast<std::int64_t>(tokenizer_.encode(text, /*add_special=*/!in_chat(agent)).size());
}

PromptLength PromptSizer::length(const orchestrator::AgentSpec& agent, const nlohmann::json& record) const {
  const std::string text = text_of(agent, record);
  const bool special = !in_chat(agent);
  // Where the beginning is cut off, its last tokens may be others than in the whole text; by how many it is longer than
  // the model's positions leaves room for that. Text has 3 to 5 bytes a token; runs of white space may have 128.
  constexpr std::int64_t kSlack = 64;
  for (std::int64_t bytes_each = 16; positions_ < INT32_MAX; bytes_each *= 4) {
    auto bytes = static_cast<std::size_t>((positions_ + 2 * kSlack) * bytes_each);
    if (bytes >= text.size()) break;
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
    const auto tokens = static_cast<std::int64_t>(tokenizer_.encode(text.substr(0, bytes), special).size());
    if (tokens > positions_ + kSlack) return {.tokens = positions_, .or_more = true};
  }
  return {.tokens = static_cast<std::int64_t>(tokenizer_.encode(text, special).size()), .or_more = false};
}

std::int64_t PromptSizer::said_tokens(const std::string& text) const {
  // One more where it begins with a space.
  return static_cast<std::int64_t>(tokenizer_.encode(text, /*add_special=*/false).size()) + 1;
}

std::string PromptSizer::without_middle(const std::string& text, std::int64_t cut) const {
  const std::vector<std::int64_t> ids = tokenizer_.encode(text, /*add_special=*/false);
  const auto size = static_cast<std::int64_t>(ids.size());
  const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(size - cut, 0));
  const std::span<const std::int64_t> all(ids);
  return tokenizer_.decode(all.first((keep + 1) / 2), /*skip_special=*/false) +
         tokenizer_.decode(all.last(keep / 2), /*skip_special=*/false);
}

}  // namespace kvmesh::cli

#include "cli/prompt_sizer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "llm/model/config.hpp"
#include "orchestrator/prompt.hpp"

namespace kvmesh::cli {

PromptSizer::PromptSizer(const std::filesystem::path& model) : tokenizer_(llm::Tokenizer::load(model)) {
  const llm::ModelConfig config = llm::read_config(model);
  positions_ = config.position_limit;
  described_limit_ = llm::describe_position_limit(config);
  if (llm::ChatTemplate::exists(model)) template_.emplace(llm::ChatTemplate::load(model));
}

std::int64_t PromptSizer::tokens(const orchestrator::AgentSpec& agent, const nlohmann::json& record) const {
  std::string text;
  for (const bus::PromptPiece& piece : orchestrator::render_prompt(agent, record)) text += piece.text;
  const bool chat = agent.chat && template_;
  if (chat) text = template_->render_user_turn(text, orchestrator::render_system(agent, record));
  return static_cast<std::int64_t>(tokenizer_.encode(text, /*add_special=*/!chat).size());
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

#include "cli/evaluation/context_fitter.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "agents/llm/chat_template.hpp"
#include "agents/llm/config.hpp"
#include "agents/llm/tokenizer.hpp"
#include "base/error.hpp"
#include "orchestrator/prompt.hpp"

namespace kvmesh::cli {
namespace {

/// How long texts are to one model.
class PromptSizer {
 public:
  explicit PromptSizer(const std::filesystem::path& model)
      : tokenizer_(llm::Tokenizer::load(model)), positions_(llm::read_config(model).max_position_embeddings) {
    if (llm::ChatTemplate::exists(model)) template_.emplace(llm::ChatTemplate::load(model));
  }

  std::int64_t positions() const { return positions_; }

  /// Tokens of a prompt for one record, in the chat template.
  std::int64_t tokens(const std::string& prompt, const nlohmann::json& record) const {
    std::string text;
    for (const bus::PromptPiece& piece :
         orchestrator::render_prompt({.name = "eval", .model = "", .prompt = prompt}, record))
      text += piece.text;
    if (template_) text = template_->render_user_turn(text);
    return static_cast<std::int64_t>(tokenizer_.encode(text, /*add_special=*/false).size());
  }

  /// `text` without about `cut` tokens of its middle.
  std::string without_middle(const std::string& text, std::int64_t cut) const {
    const std::vector<std::int64_t> ids = tokenizer_.encode(text, /*add_special=*/false);
    const auto size = static_cast<std::int64_t>(ids.size());
    const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(size - cut, 0));
    const std::span<const std::int64_t> all(ids);
    return tokenizer_.decode(all.first((keep + 1) / 2), /*skip_special=*/false) +
           tokenizer_.decode(all.last(keep / 2), /*skip_special=*/false);
  }

 private:
  llm::Tokenizer tokenizer_;
  std::optional<llm::ChatTemplate> template_;
  std::int64_t positions_;
};

class ContextFitter {
 public:
  explicit ContextFitter(const Comparison& comparison) : comparison_(comparison), receiver_(comparison.receiver) {
    for (const auto& sender : comparison.senders) senders_.push_back(std::make_unique<PromptSizer>(sender));
  }

  /// Shortens until all fits, or nothing is left to take away; true where it did shorten.
  bool fit(EvalItem& item) const {
    bool shortened = false;
    for (std::int64_t excess = excess_of(item); excess > 0; excess = excess_of(item)) {
      std::vector<std::string> contexts = contexts_of(item);
      // Of several, the longest gives most.
      const auto longest = std::max_element(contexts.begin(), contexts.end(),
                                            [](const auto& a, const auto& b) { return a.size() < b.size(); });
      if (longest->empty()) return shortened;
      *longest = sender(static_cast<std::size_t>(longest - contexts.begin())).without_middle(*longest, excess);
      set_contexts(item.record, contexts);
      shortened = true;
    }
    return shortened;
  }

 private:
  const PromptSizer& sender(std::size_t context) const { return *senders_.at(senders_.size() == 1 ? 0 : context); }

  /// Tokens that are too many; 0 or less where everything fits.
  std::int64_t excess_of(const EvalItem& item) const {
    const Prompts& prompts = comparison_.prompts;
    std::int64_t excess =
        receiver_.tokens(prompts.skyline, item.record) + comparison_.max_tokens - receiver_.positions();
    std::int64_t all = receiver_.tokens(prompts.receiver, item.record) + comparison_.max_tokens;
    for (std::size_t i = 0; i < item.contexts; ++i) {
      nlohmann::json record = item.record;
      record["context"] = item.record[cat("context_", i + 1)];
      const std::int64_t own = sender(i).tokens(prompts.sender, record);
      all += own;
      excess = std::max(excess, own - sender(i).positions());
    }
    return std::max(excess, all - receiver_.positions());
  }

  const Comparison& comparison_;
  PromptSizer receiver_;
  std::vector<std::unique_ptr<PromptSizer>> senders_;
};

}  // namespace

std::size_t fit_contexts(std::vector<DatasetGroup>& groups, const Comparison& comparison) {
  const ContextFitter fitter(comparison);
  std::size_t shortened = 0;
  for (DatasetGroup& group : groups) {
    for (EvalItem& item : group.items) shortened += fitter.fit(item) ? 1 : 0;
    for (EvalItem& item : group.calibration) fitter.fit(item);
  }
  return shortened;
}

}  // namespace kvmesh::cli

#include "cli/evaluation/context_fitter.hpp"

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "cli/prompt_sizer.hpp"

namespace kvmesh::cli {
namespace {

/// The agent of a comparison that has this prompt.
orchestrator::AgentSpec agent_of(const std::string& prompt) { return {.name = "eval", .model = "", .prompt = prompt}; }

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

  /// Tokens of what is generated, or of a right answer where that is longer.
  std::int64_t said_tokens(const EvalItem& item) const {
    std::int64_t most = comparison_.max_tokens;
    for (const std::string& answer : item.answers) most = std::max(most, receiver_.said_tokens(answer));
    return most;
  }

  /// Tokens that are too many; 0 or less where everything fits.
  std::int64_t excess_of(const EvalItem& item) const {
    const Prompts& prompts = comparison_.prompts;
    const std::int64_t said = said_tokens(item);
    std::int64_t excess = receiver_.tokens(agent_of(prompts.skyline), item.record) + said - receiver_.positions();
    std::int64_t all = receiver_.tokens(agent_of(prompts.receiver), item.record) + said;
    for (std::size_t i = 0; i < item.contexts; ++i) {
      nlohmann::json record = item.record;
      record["context"] = item.record[cat("context_", i + 1)];
      const std::int64_t own = sender(i).tokens(agent_of(prompts.sender), record);
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

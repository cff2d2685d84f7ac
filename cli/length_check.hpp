#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/prompt_sizer.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::cli {

/// Looks whether what a record asks for fits into the positions of the agents' models: each agent's own prompt, and
/// what it is given over kv edges before it, and what it may generate. Counted with each agent's tokenizer, on this
/// host.
class LengthCheck {
 public:
  /// Reads the tokenizers. `topology` outlives this. Throws Error{kFixInput} for a folder without one.
  explicit LengthCheck(const orchestrator::Topology& topology);

  /// What does not fit, with the numbers; none: all does. Throws Error{kFixInput} for a field that the record lacks.
  std::optional<std::string> problem(const nlohmann::json& record) const;

 private:
  struct Span {
    std::int64_t begin = 0, end = 0;
  };
  std::int64_t shared_before(const orchestrator::AgentSpec& agent, const std::map<std::string, Span>& own) const;

  const orchestrator::Topology& topology_;
  std::vector<const orchestrator::AgentSpec*> order_;  ///< senders first
  std::map<std::filesystem::path, PromptSizer> sizers_;
};

}  // namespace kvmesh::cli

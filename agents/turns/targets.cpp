#include "agents/turns/targets.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "llm/decode/answer_spellings.hpp"
#include "llm/decode/target_nats.hpp"

namespace kvmesh::agents {

Targets::Targets(const llm::Tokenizer& tokenizer, const std::vector<std::string>& answers) {
  for (const std::string& answer : answers)
    for (std::vector<std::int64_t>& ids : llm::answer_spellings(tokenizer, answer))
      spellings_.push_back(std::move(ids));
  if (spellings_.empty() && !answers.empty())
    fail_input("the right answer \"", answers.front(), "\" has no tokens; give the record one that is text");
}

std::int64_t Targets::rows() const {
  std::size_t most = 1;
  for (const std::vector<std::int64_t>& ids : spellings_) most = std::max(most, ids.size());
  return static_cast<std::int64_t>(most) - 1;
}

Targets::Cheapest Targets::cheapest(const llm::Model& model, llm::KvCache& cache, const at::Tensor& logits) const {
  const llm::TargetNats best = llm::best_target(model, cache, logits, spellings_);
  return {best.nats, spellings_.at(best.which)};
}

}  // namespace kvmesh::agents

#include "agents/media/text.hpp"

#include <algorithm>

#include "llm/decode/answer_text.hpp"

namespace kvmesh::agents {

std::string text_said(const llm::Tokenizer& tokenizer, std::span<const std::int64_t> tokens,
                      std::optional<std::int64_t> stop_token, int max_tokens, const std::vector<std::string>& stop) {
  const auto bounded = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(max_tokens)));
  return llm::answer_text(tokenizer, stop, bounded, bounded.size() == tokens.size() ? stop_token : std::nullopt);
}

}  // namespace kvmesh::agents

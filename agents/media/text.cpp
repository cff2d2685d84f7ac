#include "agents/media/text.hpp"

#include <algorithm>

#include "llm/decode/stop_strings.hpp"

namespace kvmesh::agents {

std::string text_said(const llm::Tokenizer& tokenizer, std::span<const std::int64_t> tokens, int max_tokens,
                      const std::vector<std::string>& stop) {
  const auto bounded = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(max_tokens)));
  return llm::text_before(stop, tokenizer.decode(bounded, /*skip_special=*/true));
}

std::size_t tokens_said(const llm::Tokenizer& tokenizer, std::span<const std::int64_t> tokens,
                        const std::vector<std::string>& stop) {
  const auto text_of_first = [&](std::size_t count) {
    return tokenizer.decode(tokens.first(count), /*skip_special=*/true);
  };
  const std::size_t said = llm::text_before(stop, text_of_first(tokens.size())).size();
  std::size_t count = tokens.size();
  while (count > 0 && text_of_first(count).size() > said) --count;
  return count;
}

}  // namespace kvmesh::agents

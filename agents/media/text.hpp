#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "llm/text/tokenizer.hpp"

namespace kvmesh::agents {

/// What a text edge carries, and what an answer is: the first `max_tokens` of the tokens that were generated, without
/// special ones, up to the first of the `stop` texts.
std::string text_said(const llm::Tokenizer& tokenizer, std::span<const std::int64_t> tokens, int max_tokens,
                      const std::vector<std::string>& stop);

/// How many of the tokens, from the first on, stand before the first of the `stop` texts.
std::size_t tokens_said(const llm::Tokenizer& tokenizer, std::span<const std::int64_t> tokens,
                        const std::vector<std::string>& stop);

}  // namespace kvmesh::agents

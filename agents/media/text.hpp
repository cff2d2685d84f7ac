#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "llm/text/tokenizer.hpp"

namespace kvmesh::agents {

/// What a text edge carries, and what an answer is: the first `max_tokens` of the tokens that were generated, without
/// special ones, up to the first of the `stop` texts. `stop_token` ended them, if any.
std::string text_said(const llm::Tokenizer& tokenizer, std::span<const std::int64_t> tokens,
                      std::optional<std::int64_t> stop_token, int max_tokens, const std::vector<std::string>& stop);

}  // namespace kvmesh::agents

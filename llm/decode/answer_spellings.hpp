#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "llm/text/tokenizer.hpp"

namespace kvmesh::llm {

/// How a model may say a right answer, in its tokens: as it stands, with a space before it, with a capital; without
/// white space around it, without special tokens and without the end of the turn. Spellings with equal tokens come
/// once, the first of them; an answer of nothing but white space or special tokens has none. The tokens are those that
/// follow a line of text, as an answer follows a prompt: none that the tokenizer puts at the start of a text is among
/// them. Throws Error{kFixInput} where the tokenizer cannot take the text.
std::vector<std::vector<std::int64_t>> answer_spellings(const Tokenizer& tokenizer, std::string_view answer);

}  // namespace kvmesh::llm

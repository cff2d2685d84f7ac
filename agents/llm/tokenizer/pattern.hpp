#pragma once

#include "agents/llm/tokenizer/description.hpp"
#include "agents/llm/tokenizer/regex.hpp"

namespace kvmesh::llm {

/// A pattern of a tokenizer.json: {"String": "x"}, {"Regex": "x+"} or "x".
Regex make_pattern(const Description& description);

}  // namespace kvmesh::llm

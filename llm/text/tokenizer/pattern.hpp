#pragma once

#include "llm/text/tokenizer/description.hpp"
#include "llm/text/tokenizer/regex.hpp"

namespace kvmesh::llm {

/// A pattern of a tokenizer.json: {"String": "x"}, {"Regex": "x+"} or "x".
Regex make_pattern(const Description& description);

}  // namespace kvmesh::llm

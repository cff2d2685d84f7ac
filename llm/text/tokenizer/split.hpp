#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "llm/text/tokenizer/regex.hpp"

namespace kvmesh::llm {

/// What becomes of the matches when a text is split by a pattern.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// By the names that tokenizer.json uses ("MergedWithNext"); none for another name.
std::optional<SplitBehavior> split_behavior(std::string_view name);

/// The pieces, none empty, that are left of `stretches` (of one text, in order, without gaps).
std::vector<Stretch> split(const std::vector<Stretch>& stretches, SplitBehavior behavior);

}  // namespace kvmesh::llm

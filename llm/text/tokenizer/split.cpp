#include "llm/text/tokenizer/split.hpp"

#include <algorithm>

namespace kvmesh::llm {
namespace {

/// Neighbours become one where `joined(before, after)` says so.
template <typename Joined>
std::vector<Stretch> join(const std::vector<Stretch>& stretches, Joined joined) {
  std::vector<Stretch> out;
  for (std::size_t index = 0; index < stretches.size(); ++index) {
    if (index > 0 && joined(stretches[index - 1], stretches[index])) {
      out.back().end = stretches[index].end;
    } else {
      out.push_back(stretches[index]);
    }
  }
  return out;
}

}  // namespace

std::optional<SplitBehavior> split_behavior(std::string_view name) {
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return std::nullopt;
}

std::vector<Stretch> split(const std::vector<Stretch>& stretches, SplitBehavior behavior) {
  std::vector<Stretch> pieces;
  switch (behavior) {
    case SplitBehavior::kRemoved:
      std::copy_if(stretches.begin(), stretches.end(), std::back_inserter(pieces),
                   [](const Stretch& stretch) { return !stretch.matched; });
      break;
    case SplitBehavior::kIsolated: pieces = stretches; break;
    case SplitBehavior::kMergedWithPrevious:
      pieces =
          join(stretches, [](const Stretch& before, const Stretch& after) { return after.matched && !before.matched; });
      break;
    case SplitBehavior::kMergedWithNext:
      pieces =
          join(stretches, [](const Stretch& before, const Stretch& after) { return before.matched && !after.matched; });
      break;
    case SplitBehavior::kContiguous:
      pieces =
          join(stretches, [](const Stretch& before, const Stretch& after) { return before.matched == after.matched; });
      break;
  }
  std::erase_if(pieces, [](const Stretch& piece) { return piece.begin == piece.end; });
  return pieces;
}

}  // namespace kvmesh::llm

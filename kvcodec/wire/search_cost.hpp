#pragma once

#include <algorithm>
#include <cstdint>

#include "kvcodec/wire/edge_spec.hpp"

namespace kvmesh::wire {

/// What a search of one edge's layers by loss may cost, in tokens that go through the receiver's model, on so many
/// records: those beyond the first are used sparingly. Prompts of several hundred tokens take more.
inline constexpr std::int64_t search_tokens(int samples, Unit unit) {
  constexpr std::int64_t kOneRecord = 12'000;
  const std::int64_t layers = kOneRecord * std::max(samples, 2) / 2;
  return unit == Unit::kHead ? 3 * layers : layers;
}

/// Of so many records, the last that do not choose but check what was chosen.
inline constexpr int checking_records(int samples) { return samples < 2 ? 0 : std::max(1, samples / 4); }

/// How many tokens of its own answer an agent is held to where there is no right one.
inline constexpr int kOwnTargetTokens = 12;

}  // namespace kvmesh::wire

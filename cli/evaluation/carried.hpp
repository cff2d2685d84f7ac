#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/evaluation/item_result.hpp"

namespace kvmesh::cli {

/// What the skyline has to gain over the baseline, in nats, for a share of it to mean anything.
inline constexpr double kLeastGain = 0.1;

/// Of what a context is worth, the share that a method brings over: (nats of the right answer without communication -
/// nats with it) / (without - skyline), of the means over the items for which all three have nats. 0 is the baseline, 1
/// the skyline; beyond 1 the answer is likelier than to the one model that reads everything, below 0 less likely than
/// without. The three hold the same items in the same order. None where the skyline gains less than kLeastGain.
std::optional<double> carried(const std::vector<const ItemResult*>& method,
                              const std::vector<const ItemResult*>& baseline,
                              const std::vector<const ItemResult*>& skyline);

/// The result of the method called `name`; null: it was not run.
const MethodResult* find_method(const std::vector<MethodResult>& results, const std::string& name);

}  // namespace kvmesh::cli

#pragma once

#include <functional>
#include <span>
#include <vector>

namespace kvmesh::kvcodec {

/// Which of an edge's units are shared, in their order through the model: a receiver's layers, or parts of them.
using UnitMask = std::vector<bool>;

/// The best set of its size that a search has found.
struct SharedSet {
  std::vector<int> units;  ///< ascending
  double loss = 0;
  bool operator==(const SharedSet&) const = default;
};

/// What a loss is measured on: a few of the samples, to choose among many sets, or all of them.
enum class Measure { kRough, kFull };

struct ShareSearch {
  int units = 0;
  /// The loss of each of `masks`, the lower the better. Each differs from `base` in few units; what is computed below
  /// the first of them can be kept from one call to the next, as long as `base` stays. What it throws ends the search.
  std::function<std::vector<double>(const UnitMask& base, std::span<const UnitMask> masks, Measure measure)> losses;
  double rough_cost = 1;  ///< of a rough loss, as a share of a full one's
  /// How much may be measured, in losses of everything from the first unit on. The way from all units down and the way
  /// from none up are always gone; exchanges are tried with what is left.
  double budget = 0;
  /// After each measurement: what has been spent of the budget. What it throws ends the search.
  std::function<void(double spent)> progress;
};

/// Sets of units that keep the loss low, for each size from none to all, the smallest first: one search serves every
/// ratio. From all units the one whose absence costs least leaves, again and again; from none up the one that gains
/// most joins, for the smaller sizes; of both ways the better set counts. Then units are exchanged, one out and one in,
/// while that lowers the loss, sizes near three tenths first. (Sequential floating selection, Pudil et al. 1994.)
///
/// What a unit cost when it was last looked at says whether it is looked at again: costs change little from one step to
/// the next, so that a step measures a few sets and not one for each unit. Of more than 32 units several leave at once,
/// and sizes in between are missing. Deterministic; of equal losses the set that keeps the lower unit wins.
std::vector<SharedSet> search_shares(const ShareSearch& search);

}  // namespace kvmesh::kvcodec

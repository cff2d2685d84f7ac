#include "kvcodec/share_search.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::kvcodec {
namespace {

/// Sets that are measured together, and how many a step looks at before it trusts what it knew.
constexpr std::size_t kBatch = 4;
/// A step that would have to look at more than this many sets takes the best of these.
constexpr std::size_t kMostLooks = 2 * kBatch;
/// Of more units than this, several leave at once.
constexpr int kOneByOne = 32;
/// Losses that differ by less are equal: the same sum in another order.
constexpr double kSame = 1e-9;

int size_of(const UnitMask& mask) { return static_cast<int>(std::count(mask.begin(), mask.end(), true)); }

UnitMask flipped(UnitMask mask, int unit) {
  mask[static_cast<std::size_t>(unit)] = !mask[static_cast<std::size_t>(unit)];
  return mask;
}

std::vector<int> units_of(const UnitMask& mask) {
  std::vector<int> units;
  for (std::size_t unit = 0; unit < mask.size(); ++unit)
    if (mask[unit]) units.push_back(static_cast<int>(unit));
  return units;
}

class Searcher {
 public:
  explicit Searcher(const ShareSearch& search)
      : search_(search),
        units_(static_cast<std::size_t>(search.units)),
        best_(units_ + 1),
        absence_(units_, kUnknown),
        presence_(units_, kUnknown) {}

  std::vector<SharedSet> run() {
    const UnitMask all(units_, true), none(units_, false);
    base_ = all;
    measure({all}, Measure::kFull);
    measure({none}, Measure::kFull);
    descend(all);
    ascend(none);
    for (std::size_t looks = kBatch; budget_left(); looks *= 2) {
      exchange_everywhere(looks);
      if (looks >= units_) break;
    }
    std::vector<SharedSet> path;
    for (const auto& set : best_)
      if (set) path.push_back({units_of(set->mask), set->loss});
    return path;
  }

 private:
  static constexpr double kUnknown = -std::numeric_limits<double>::infinity();
  struct Known {
    UnitMask mask;
    double loss = 0;
  };
  /// A unit and what the loss became when it left or joined.
  struct Look {
    int unit = 0;
    double loss = 0;
  };

  bool budget_left() const { return spent_ < search_.budget; }

  /// The share of the units from the first that differs from the base on.
  double cost_of(const UnitMask& mask) const {
    const auto differs = std::mismatch(mask.begin(), mask.end(), base_.begin()).first - mask.begin();
    const double rest = static_cast<double>(mask.size()) - static_cast<double>(differs);
    return std::max(rest, 1.0) / static_cast<double>(std::max<std::size_t>(mask.size(), 1));
  }

  void move_base(const UnitMask& mask) {
    if (mask == base_) return;
    spent_ += cost_of(mask);
    base_ = mask;
  }

  std::vector<double> measure(const std::vector<UnitMask>& masks, Measure measure) {
    std::map<UnitMask, double>& known = known_[measure == Measure::kFull];
    std::vector<UnitMask> fresh;
    for (const UnitMask& mask : masks)
      if (!known.contains(mask) && std::find(fresh.begin(), fresh.end(), mask) == fresh.end()) fresh.push_back(mask);
    if (!fresh.empty()) {
      const std::vector<double> losses = search_.losses(base_, fresh, measure);
      for (std::size_t i = 0; i < fresh.size(); ++i) {
        if (!std::isfinite(losses.at(i)))
          throw Error(ErrorKind::kGiveUp,
                      cat("the loss of a set of ", size_of(fresh[i]), " shared units is no number"));
        known[fresh[i]] = losses[i];
        spent_ += cost_of(fresh[i]) * (measure == Measure::kFull ? 1 : search_.rough_cost);
        if (measure == Measure::kFull) remember(fresh[i], losses[i]);
      }
      if (search_.progress) search_.progress(spent_);
    }
    std::vector<double> all;
    for (const UnitMask& mask : masks) all.push_back(known.at(mask));
    return all;
  }

  double loss_of(const UnitMask& mask, Measure how) { return measure({mask}, how).front(); }

  void remember(const UnitMask& mask, double loss) {
    std::optional<Known>& best = best_[static_cast<std::size_t>(size_of(mask))];
    const bool tie = best && std::abs(loss - best->loss) <= kSame;
    if (!best || (tie ? mask > best->mask : loss < best->loss)) best = Known{mask, loss};
  }

  /// Flips units of `mask` one at a time and gives the outcomes, the best first. `last` is what each unit's flip did to
  /// the loss when it was last looked at, and is brought up to date. Looks at the most promising `least` at least, and
  /// on while one that was not looked at promises more than the `wanted`-th best of those that were.
  std::vector<Look> look(const UnitMask& mask, std::vector<int> units, std::vector<double>& last, Measure how,
                         std::size_t least, std::size_t wanted = 1) {
    const bool leave = !units.empty() && mask[static_cast<std::size_t>(units.front())];
    // Of equals the higher unit leaves, and the lower one joins.
    const auto before = [leave](int left, int right) { return leave ? left > right : left < right; };
    const auto promise = [&last](int unit) { return last[static_cast<std::size_t>(unit)]; };
    std::sort(units.begin(), units.end(), [&](int left, int right) {
      return promise(left) != promise(right) ? promise(left) < promise(right) : before(left, right);
    });
    move_base(mask);
    const double here = loss_of(mask, how);
    std::vector<Look> looks;
    for (std::size_t next = 0; next < units.size();) {
      const bool unseen = promise(units[next]) == kUnknown;
      const bool enough = looks.size() >= least && looks.size() >= wanted;
      if (enough && !unseen) {
        const bool settled = looks[wanted - 1].loss - here <= promise(units[next]);
        if (settled || looks.size() >= std::max(kMostLooks, least)) break;
      }
      std::size_t end = std::min(next + kBatch, units.size());
      while (unseen && end < units.size() && promise(units[end]) == kUnknown) ++end;
      std::vector<UnitMask> masks;
      for (std::size_t i = next; i < end; ++i) masks.push_back(flipped(mask, units[i]));
      const std::vector<double> losses = measure(masks, how);
      for (std::size_t i = next; i < end; ++i) {
        looks.push_back({units[i], losses[i - next]});
        last[static_cast<std::size_t>(units[i])] = losses[i - next] - here;
      }
      std::sort(looks.begin(), looks.end(), [&](const Look& left, const Look& right) {
        return std::abs(left.loss - right.loss) > kSame ? left.loss < right.loss : before(left.unit, right.unit);
      });
      next = end;
    }
    return looks;
  }

  void descend(UnitMask mask) {
    for (int size = search_.units; size > 1; size = size_of(mask)) {
      const Measure how = 2 * size > search_.units ? Measure::kRough : Measure::kFull;
      const auto leaving = static_cast<std::size_t>(1 + (size - 1) / kOneByOne);
      const std::vector<Look> looks = look(mask, units_of(mask), absence_, how, kBatch, leaving);
      for (std::size_t i = 0; i < leaving; ++i) mask = flipped(mask, looks.at(i).unit);
      settle(mask);
    }
  }

  /// Makes a set the base; its loss then costs next to nothing.
  void settle(const UnitMask& mask) {
    move_base(mask);
    measure({mask}, Measure::kFull);
  }

  /// Up to a fifth of the units. Where the way down came to a better set of the size, it goes on from that.
  void ascend(UnitMask mask) {
    for (int size = 0; size < (search_.units + 4) / 5; ++size) {
      mask = flipped(mask, best_to_join(mask));
      settle(mask);
      if (const auto& best = best_[static_cast<std::size_t>(size) + 1]) mask = best->mask;
    }
  }

  /// Where nobody has been looked at, all are at first, roughly.
  int best_to_join(const UnitMask& mask) {
    std::vector<int> outside = complement(mask);
    if (std::all_of(presence_.begin(), presence_.end(), [](double last) { return last == kUnknown; }))
      look(mask, outside, presence_, Measure::kRough, outside.size());
    return look(mask, outside, presence_, Measure::kFull, kBatch).front().unit;
  }

  static std::vector<int> complement(UnitMask mask) {
    mask.flip();
    return units_of(mask);
  }

  void exchange_everywhere(std::size_t looks) {
    std::vector<int> sizes;
    for (int size = 1; size < search_.units; ++size) sizes.push_back(size);
    const double middle = 0.3 * search_.units;
    std::stable_sort(sizes.begin(), sizes.end(),
                     [&](int left, int right) { return std::abs(left - middle) < std::abs(right - middle); });
    for (bool better = true; better && budget_left();) {
      better = false;
      for (const int size : sizes) {
        if (!best_[static_cast<std::size_t>(size)]) continue;
        while (budget_left() && exchange(size, looks)) better = true;
      }
    }
  }

  /// One out and one in, in either order, with the best partner for the best of each. True where the loss fell.
  bool exchange(int size, std::size_t looks) {
    const Known before = *best_[static_cast<std::size_t>(size)];
    const auto try_pair = [&](std::vector<double>& first, std::vector<double>& second, const std::vector<int>& from) {
      const UnitMask between = flipped(before.mask, look(before.mask, from, first, Measure::kFull, looks).front().unit);
      const bool joined = size_of(between) > size;
      look(between, joined ? units_of(between) : complement(between), second, Measure::kFull, looks);
    };
    try_pair(presence_, absence_, complement(before.mask));
    try_pair(absence_, presence_, units_of(before.mask));
    return best_[static_cast<std::size_t>(size)]->loss < before.loss - kSame;
  }

  const ShareSearch& search_;
  const std::size_t units_;
  std::vector<std::optional<Known>> best_;  ///< by size
  std::map<UnitMask, double> known_[2];     ///< rough, full
  /// What the loss rose by when a unit left, and when it joined; kUnknown: never looked at.
  std::vector<double> absence_, presence_;
  UnitMask base_;
  double spent_ = 0;
};

}  // namespace

std::vector<SharedSet> search_shares(const ShareSearch& search) { return Searcher(search).run(); }

}  // namespace kvmesh::kvcodec

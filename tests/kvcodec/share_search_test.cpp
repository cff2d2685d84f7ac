#include "kvcodec/share_search.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>

using namespace kvmesh::kvcodec;
using Units = std::vector<int>;

namespace {

using LossOf = std::function<double(const UnitMask&)>;

/// A search over a loss that is written down here; counts what is asked for.
struct Bench {
  LossOf loss;
  int units = 8;
  double budget = 1000;
  std::size_t asked = 0;
  double spent = 0;

  std::vector<SharedSet> run() {
    return search_shares({.units = units,
                          .losses =
                              [this](const UnitMask&, std::span<const UnitMask> masks, Measure) {
                                std::vector<double> losses;
                                for (const UnitMask& mask : masks) losses.push_back(loss(mask));
                                asked += masks.size();
                                return losses;
                              },
                          .budget = budget,
                          .progress = [this](double now) { spent = now; }});
  }
};

/// What is lost is what the absent units are worth.
LossOf worth(std::vector<double> units) {
  return [units](const UnitMask& mask) {
    double lost = 0;
    for (std::size_t i = 0; i < units.size(); ++i) lost += mask[i] ? 0 : units[i];
    return lost;
  };
}

double best_of_size(const LossOf& loss, int units, int size) {
  double best = 1e300;
  for (unsigned bits = 0; bits < 1U << units; ++bits) {
    UnitMask mask;
    for (int i = 0; i < units; ++i) mask.push_back((bits >> i & 1U) != 0);
    if (std::count(mask.begin(), mask.end(), true) == size) best = std::min(best, loss(mask));
  }
  return best;
}

}  // namespace

TEST_CASE("units that do not depend on each other leave by their worth") {
  const auto path = Bench{.loss = worth({1, 7, 3, 5, 2, 8, 4, 6})}.run();
  REQUIRE(path.size() == 9);
  CHECK((path[0] == SharedSet{{}, 36}));
  CHECK((path[1] == SharedSet{{5}, 28}));
  CHECK((path[3] == SharedSet{{1, 5, 7}, 15}));
  CHECK((path[8] == SharedSet{{0, 1, 2, 3, 4, 5, 6, 7}, 0}));
}

TEST_CASE("of equal losses the set that keeps the lower unit wins") {
  const auto path = Bench{.loss = worth({1, 1, 1, 1, 1, 1, 1, 1})}.run();
  for (int size = 0; size <= 8; ++size) {
    Units first(static_cast<std::size_t>(size));
    std::iota(first.begin(), first.end(), 0);
    CHECK(path[static_cast<std::size_t>(size)].units == first);
  }
}

TEST_CASE("an exchange mends what neither way finds") {
  // 2 does all that 1 does and a little more; but while 0 is there nobody misses that little, and 2 leaves first.
  const LossOf loss = [](const UnitMask& mask) {
    double lost = 0;
    if (!mask[5]) lost += 3;
    if (!mask[3]) lost += 4;
    if (!mask[0] && !mask[2]) lost += 1;
    if (!mask[1] && !mask[2] && !mask[3]) lost += 7;
    if (!mask[1] && !mask[2]) lost += 7;
    return lost;
  };
  CHECK(Bench{.loss = loss, .units = 6, .budget = 0}.run()[3].units == Units{1, 3, 5});
  CHECK(Bench{.loss = loss, .units = 6}.run()[3].units == Units{2, 3, 5});
}

TEST_CASE("where units stand in for each other the search comes close to the best of all sets") {
  std::mt19937 generator(7);
  std::uniform_real_distribution<double> draw(0, 1);
  double above = 0, compared = 0;
  for (int round = 0; round < 20; ++round) {
    // Units cover facts; a fact that nobody covers is lost.
    std::vector<UnitMask> facts(24, UnitMask(10));
    std::vector<double> weights;
    for (UnitMask& fact : facts) {
      for (auto&& covered : fact) covered = draw(generator) < 0.3;
      weights.push_back(draw(generator));
    }
    const LossOf loss = [&](const UnitMask& mask) {
      double lost = 0;
      for (std::size_t f = 0; f < facts.size(); ++f) {
        bool covered = false;
        for (std::size_t u = 0; u < mask.size(); ++u) covered = covered || (mask[u] && facts[f][u]);
        lost += covered ? 0 : weights[f];
      }
      return lost;
    };
    const auto path = Bench{.loss = loss, .units = 10}.run();
    for (int size = 1; size < 10; ++size) {
      const double best = best_of_size(loss, 10, size);
      CHECK(path[static_cast<std::size_t>(size)].loss >= best - 1e-9);
      above += path[static_cast<std::size_t>(size)].loss > best + 1e-9;
      ++compared;
    }
  }
  CHECK(above / compared < 0.05);
}

TEST_CASE("thirty units take a small part of what looking at each of them in every step would") {
  std::vector<double> units(30);
  for (std::size_t i = 0; i < units.size(); ++i) units[i] = static_cast<double>(i * 7 % 30);
  Bench bench{.loss = worth(units), .units = 30, .budget = 0};
  const auto path = bench.run();
  CHECK(path.size() == 31);
  CHECK(bench.asked < 250);  // 465 on the way down alone
  CHECK(bench.spent < 130);
  bench.budget = 170;
  bench.run();
  CHECK(bench.spent < 180);  // a step that has begun is ended
}

TEST_CASE("of many units several leave at once") {
  std::vector<double> units(90);
  for (std::size_t i = 0; i < units.size(); ++i) units[i] = 1 + static_cast<double>(i * 37 % 90);
  Bench layers{.loss = worth(std::vector<double>(units.begin(), units.begin() + 30)), .units = 30, .budget = 0};
  Bench heads{.loss = worth(units), .units = 90, .budget = 0};
  layers.run();
  const auto path = heads.run();
  CHECK(heads.spent < 3 * layers.spent);
  CHECK(path.size() < 91);
  const auto eighteen = std::find_if(path.begin(), path.end(), [](const auto& set) { return set.units.size() == 18; });
  REQUIRE(eighteen != path.end());
  for (const int unit : eighteen->units) CHECK(units[static_cast<std::size_t>(unit)] > 72);
}

TEST_CASE("the rough measure chooses among many and the full one is what the path says") {
  std::map<Measure, std::size_t> asked;
  const LossOf loss = worth({1, 7, 3, 5, 2, 8, 4, 6});
  const auto path = search_shares({.units = 8,
                                   .losses =
                                       [&](const UnitMask&, std::span<const UnitMask> masks, Measure measure) {
                                         std::vector<double> losses;
                                         asked[measure] += masks.size();
                                         for (const UnitMask& mask : masks)
                                           losses.push_back(loss(mask) + (measure == Measure::kRough ? 100 : 0));
                                         return losses;
                                       },
                                   .rough_cost = 0.25,
                                   .budget = 0,
                                   .progress = {}});
  CHECK(asked[Measure::kRough] > 0);
  CHECK((path[4] == SharedSet{{1, 3, 5, 7}, 10}));
}

TEST_CASE("a search says what differs from the base that it holds") {
  UnitMask base(8, true);
  std::size_t far = 0, asked = 0;
  const LossOf loss = worth({1, 7, 3, 5, 2, 8, 4, 6});
  search_shares({.units = 8,
                 .losses =
                     [&](const UnitMask& from, std::span<const UnitMask> masks, Measure) {
                       std::vector<double> losses;
                       for (const UnitMask& mask : masks) {
                         std::size_t differ = 0;
                         for (std::size_t i = 0; i < mask.size(); ++i) differ += mask[i] != from[i];
                         far += differ > 1;
                         ++asked;
                         losses.push_back(loss(mask));
                       }
                       return losses;
                     },
                 .budget = 100,
                 .progress = {}});
  CHECK(asked > 20);
  CHECK(far <= 2);
}

TEST_CASE("a search ends with what its loss throws, and refuses a loss that is no number") {
  Bench thrown{.loss = [](const UnitMask&) -> double { throw std::runtime_error("cancelled"); }};
  CHECK_THROWS_WITH(thrown.run(), "cancelled");
  Bench broken{.loss = [](const UnitMask&) { return std::nan(""); }};
  CHECK_THROWS_WITH(broken.run(), Catch::Contains("no number"));
}

TEST_CASE("one unit, and none, have a path too") {
  CHECK((Bench{.loss = worth({2}), .units = 1}.run() == std::vector<SharedSet>{{{}, 2}, {{0}, 0}}));
  CHECK((Bench{.loss = worth({}), .units = 0}.run() == std::vector<SharedSet>{{{}, 0}}));
}

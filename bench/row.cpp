#include "bench/row.hpp"

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

namespace kvmesh::bench {
namespace {

std::string number(double value) {
  std::ostringstream out;
  out << std::setprecision(value < 10 ? 3 : 4) << value;
  return out.str();
}

std::string number_or_none(double value) { return value == 0 ? "-" : number(value); }
nlohmann::json number_or_null(double value) { return value == 0 ? nlohmann::json() : nlohmann::json(value); }

std::string verdict(const Row& row) {
  if (row.bar == 0) return "";
  return std::string(row.higher_is_better ? ">= " : "<= ") + number(row.bar) + (row.met() ? "" : "  MISSED");
}

}  // namespace

void print_head(std::ostream& out) {
  out << "row                             ours  reference  unit          ratio (spread)      bar             "
         "reference is\n";
}

void print(const Row& row, std::ostream& out) {
  out << std::left << std::setw(26) << row.name << std::right << std::setw(10) << number_or_none(row.ours)
      << std::setw(11) << number_or_none(row.reference) << "  " << std::left << std::setw(14) << row.unit
      << std::setw(6) << number_or_none(row.ratio) << std::setw(14)
      << (row.reference == 0 ? "" : number(row.low) + "-" + number(row.high)) << std::setw(16) << verdict(row)
      << row.note << std::endl;
}

void print_json(const Row& row, std::ostream& out) {
  out << nlohmann::json{{"name", row.name},
                        {"ours", number_or_null(row.ours)},
                        {"reference", number_or_null(row.reference)},
                        {"unit", row.unit},
                        {"ratio", number_or_null(row.ratio)},
                        {"low", number_or_null(row.low)},
                        {"high", number_or_null(row.high)},
                        {"bar", number_or_null(row.bar)},
                        {"note", row.note},
                        {"better", row.higher_is_better ? "higher" : "lower"}}
             .dump()
      << std::endl;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Comparison::run(int pairs, const std::function<double()>& ours, const std::function<double()>& reference) {
  for (int pair = -1; pair < pairs; ++pair) {
    // Who goes first alternates too, so that neither always finds the caches as the other left them.
    const bool ours_first = pair % 2 == 0;
    double mine = ours_first ? ours() : 0;
    const double theirs = reference();
    if (!ours_first) mine = ours();
    if (pair < 0) continue;
    ours_.push_back(mine);
    reference_.push_back(theirs);
    ratios_.push_back(mine / theirs);
  }
}

Row Comparison::row() const {
  const auto [low, high] = std::minmax_element(ratios_.begin(), ratios_.end());
  return {.name = spec_.name,
          .ours = median(ours_),
          .reference = median(reference_),
          .unit = spec_.unit,
          .ratio = median(ratios_),
          .low = *low,
          .high = *high,
          .bar = spec_.bar,
          .higher_is_better = spec_.higher_is_better,
          .note = spec_.note};
}

Row compare(const RowSpec& spec, const std::function<double()>& ours, const std::function<double()>& reference) {
  Comparison comparison(spec);
  comparison.run(kPairs, ours, reference);
  return comparison.row();
}

}  // namespace kvmesh::bench

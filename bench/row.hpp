#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace kvmesh::bench {

/// One line of the table: ours beside a reference, each the median of runs that alternate.
struct Row {
  std::string name;
  double ours = 0;       ///< 0: not measured on this machine
  double reference = 0;  ///< 0: it could not be run, and there is no ratio
  std::string unit;
  double ratio = 0;  ///< median of the pairs' ours / reference
  double low = 0;    ///< the smallest and
  double high = 0;   ///< the greatest of the pairs' ratios
  double bar = 0;    ///< what the ratio must reach, or not exceed; 0: none
  bool higher_is_better = true;
  std::string note;  ///< what the reference is, where the name does not say it

  bool met() const { return bar == 0 || (higher_is_better ? ratio >= bar : ratio <= bar); }
};

/// Rows as they come: a table for people, under its head, or one JSON object a line.
void print_head(std::ostream& out);
void print(const Row& row, std::ostream& out);
void print_json(const Row& row, std::ostream& out);

/// Takes a row as soon as it is measured.
using Emit = std::function<void(const Row&)>;

struct RowSpec {
  std::string name;
  std::string unit;
  double bar = 0;
  bool higher_is_better = true;
  std::string note;
};

/// At least this many pairs stand behind a median.
inline constexpr int kPairs = 9;

double median(std::vector<double> values);

/// A row in the making.
class Comparison {
 public:
  explicit Comparison(RowSpec spec) : spec_(std::move(spec)) {}

  /// Runs `ours` and `reference` in turns, `pairs` times after one of each that does not count.
  void run(int pairs, const std::function<double()>& ours, const std::function<double()>& reference);
  /// Of all pairs so far, of which there is one at least.
  Row row() const;

 private:
  RowSpec spec_;
  std::vector<double> ours_, reference_, ratios_;
};

/// kPairs pairs of a Comparison.
Row compare(const RowSpec& spec, const std::function<double()>& ours, const std::function<double()>& reference);

}  // namespace kvmesh::bench

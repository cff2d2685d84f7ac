#include <algorithm>

#include "cli/evaluation/plots.hpp"
#include "cli/evaluation/svg.hpp"
#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

constexpr double kLeft = 60, kTop = 30, kWidth = 640, kHeight = 320, kRight = 120, kBottom = 50;

class ScorePlot {
 public:
  ScorePlot(const std::vector<SummaryRow>& rows, const std::vector<std::string>& curve)
      : curve_(curve), svg_(kLeft + kWidth + kRight, kTop + kHeight + kBottom) {
    for (const SummaryRow& row : rows)
      if (row.task == kAllTasks) rows_.push_back(&row);
    for (const SummaryRow* row : rows_) most_bytes_ = std::max(most_bytes_, row->bytes);
  }

  std::string draw() {
    axes();
    for (const SummaryRow* row : rows_)
      if (row->bytes == 0) across(*row);
    join_curve();
    for (const SummaryRow* row : rows_)
      if (row->bytes > 0) dot(*row);
    return svg_.finish();
  }

 private:
  bool on_curve(const SummaryRow& row) const {
    return std::find(curve_.begin(), curve_.end(), row.method) != curve_.end();
  }
  double x(double bytes) const { return kLeft + kWidth * bytes / most_bytes_; }
  static double y(double share) { return kTop + kHeight * (1 - share); }

  void axes() {
    svg_.text({kLeft, 18}, "exact match over all items, %, with its 95% interval, against bytes an item");
    svg_.line({kLeft, y(0)}, {kLeft + kWidth, y(0)}, "black");
    svg_.line({kLeft, y(0)}, {kLeft, y(1)}, "black");
    for (int tick = 0; tick <= 5; ++tick) {
      const double part = tick / 5.0;
      svg_.text({kLeft - 8, y(part) + 4}, fixed(100 * part, 0), "end");
      svg_.line({kLeft - 4, y(part)}, {kLeft, y(part)}, "black");
      svg_.text({kLeft + kWidth * part, y(0) + 20}, human_bytes(most_bytes_ * part), "middle");
      svg_.line({kLeft + kWidth * part, y(0)}, {kLeft + kWidth * part, y(0) + 4}, "black");
    }
  }

  void across(const SummaryRow& row) {
    const double height = y(row.exact_match.mean);
    svg_.line({kLeft, height}, {kLeft + kWidth, height}, "gray", "4 3");
    svg_.text({kLeft + kWidth + 6, height + 4}, row.method, "start", "gray");
  }

  void join_curve() {
    std::vector<Svg::Point> points;
    for (const SummaryRow* row : rows_)
      if (on_curve(*row)) points.push_back({x(row->bytes), y(row->exact_match.mean)});
    std::sort(points.begin(), points.end());
    if (points.size() > 1) svg_.polyline(points, "steelblue");
  }

  void dot(const SummaryRow& row) {
    const std::string colour = on_curve(row) ? "steelblue" : "darkorange";
    const double across = x(row.bytes), height = y(row.exact_match.mean);
    svg_.line({across, y(row.exact_match.low)}, {across, y(row.exact_match.high)}, colour);
    svg_.circle({across, height}, 3.5, colour);
    svg_.text({across + 6, height + (on_curve(row) ? 14 : -6)}, row.method, "start", colour);
  }

  const std::vector<std::string>& curve_;
  std::vector<const SummaryRow*> rows_;
  double most_bytes_ = 1;
  Svg svg_;
};

}  // namespace

std::string score_plot(const std::vector<SummaryRow>& rows, const std::vector<std::string>& curve) {
  return ScorePlot(rows, curve).draw();
}

}  // namespace kvmesh::cli

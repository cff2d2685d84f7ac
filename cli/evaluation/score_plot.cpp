#include <algorithm>
#include <functional>
#include <optional>

#include "cli/evaluation/plots.hpp"
#include "cli/evaluation/svg.hpp"
#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

constexpr double kLeft = 60, kTop = 30, kWidth = 640, kHeight = 320, kRight = 120, kBottom = 50;
constexpr double kPanel = kTop + kHeight + kBottom;

/// One number of each row against its bytes; a drawing is a panel or several, one under the other.
class Panel {
 public:
  using Rows = std::vector<const SummaryRow*>;
  using Measure = std::function<std::optional<Interval>(const SummaryRow&)>;

  Panel(Svg& svg, double top, const std::vector<std::string>& curve, const Rows& rows, const Measure& measure)
      : svg_(svg), top_(top + kTop), curve_(curve) {
    for (const SummaryRow* row : rows) {
      const std::optional<Interval> value = measure(*row);
      if (!value) continue;
      points_.push_back({row, *value});
      most_bytes_ = std::max(most_bytes_, row->bytes);
      low_ = std::min(low_, value->low);
      high_ = std::max(high_, value->high);
    }
  }

  void draw(const std::string& title) {
    axes(title);
    for (const Point& point : points_)
      if (point.row->bytes == 0) across(point);
    join_curve();
    for (const Point& point : points_)
      if (point.row->bytes > 0) dot(point);
  }

 private:
  struct Point {
    const SummaryRow* row;
    Interval value;
  };

  bool on_curve(const SummaryRow& row) const {
    return std::find(curve_.begin(), curve_.end(), row.method) != curve_.end();
  }
  double x(double bytes) const { return kLeft + kWidth * bytes / most_bytes_; }
  double y(double value) const { return top_ + kHeight * (high_ - value) / (high_ - low_); }

  void axes(const std::string& title) {
    const double bottom = top_ + kHeight;
    svg_.text({kLeft, top_ - 12}, title);
    svg_.line({kLeft, bottom}, {kLeft + kWidth, bottom}, "black");
    svg_.line({kLeft, bottom}, {kLeft, top_}, "black");
    for (int tick = 0; tick <= 5; ++tick) {
      const double part = tick / 5.0, value = low_ + part * (high_ - low_);
      svg_.text({kLeft - 8, y(value) + 4}, fixed(100 * value, 0), "end");
      svg_.line({kLeft - 4, y(value)}, {kLeft, y(value)}, "black");
      svg_.text({kLeft + kWidth * part, bottom + 20}, human_bytes(most_bytes_ * part), "middle");
      svg_.line({kLeft + kWidth * part, bottom}, {kLeft + kWidth * part, bottom + 4}, "black");
    }
  }

  void across(const Point& point) {
    const double height = y(point.value.mean);
    svg_.line({kLeft, height}, {kLeft + kWidth, height}, "gray", "4 3");
    svg_.text({kLeft + kWidth + 6, height + 4}, point.row->method, "start", "gray");
  }

  void join_curve() {
    std::vector<Svg::Point> points;
    for (const Point& point : points_)
      if (on_curve(*point.row)) points.push_back({x(point.row->bytes), y(point.value.mean)});
    std::sort(points.begin(), points.end());
    if (points.size() > 1) svg_.polyline(points, "steelblue");
  }

  void dot(const Point& point) {
    const bool curve = on_curve(*point.row);
    const std::string colour = curve ? "steelblue" : "darkorange";
    const double across = x(point.row->bytes), height = y(point.value.mean);
    svg_.line({across, y(point.value.low)}, {across, y(point.value.high)}, colour);
    svg_.circle({across, height}, 3.5, colour);
    svg_.text({across + 6, height + (curve ? 14 : -6)}, point.row->method, "start", colour);
  }

  Svg& svg_;
  const double top_;
  const std::vector<std::string>& curve_;
  std::vector<Point> points_;
  double most_bytes_ = 1, low_ = 0, high_ = 1;
};

std::optional<Interval> carried_of(const SummaryRow& row) {
  if (!row.carried) return std::nullopt;
  return Interval{*row.carried, *row.carried, *row.carried};
}

}  // namespace

std::string score_plot(const std::vector<SummaryRow>& rows, const std::vector<std::string>& curve) {
  Panel::Rows all;
  for (const SummaryRow& row : rows)
    if (row.task == kAllTasks) all.push_back(&row);
  const bool carried =
      std::any_of(all.begin(), all.end(), [](const SummaryRow* row) { return row->carried.has_value(); });
  Svg svg(kLeft + kWidth + kRight, carried ? 2 * kPanel : kPanel);
  Panel(svg, 0, curve, all, [](const SummaryRow& row) {
    return std::optional(row.exact_match);
  }).draw("exact match over all items, %, with its 95% interval, against bytes an item");
  if (carried)
    Panel(svg, kPanel, curve, all, carried_of)
        .draw(
            "carried over all items, % of what the context is worth in nats of the right answer, against bytes an "
            "item");
  return svg.finish();
}

}  // namespace kvmesh::cli

#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace kvmesh::cli {

/// An SVG drawing, in pixels from the upper left. Colours are any that CSS names.
class Svg {
 public:
  using Point = std::pair<double, double>;

  Svg(double width, double height);

  void line(Point from, Point to, const std::string& colour, const std::string& dashes = "");
  void polyline(const std::vector<Point>& points, const std::string& colour);
  void circle(Point centre, double radius, const std::string& colour);
  void rectangle(Point corner, double width, double height, const std::string& colour);
  /// `anchor`: start, middle or end, where `at` is.
  void text(Point at, const std::string& text, const std::string& anchor = "start",
            const std::string& colour = "black");

  std::string finish() const;

 private:
  std::ostringstream body_;
};

}  // namespace kvmesh::cli

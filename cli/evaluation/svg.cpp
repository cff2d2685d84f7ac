#include "cli/evaluation/svg.hpp"

#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

std::string number(double value) { return fixed(value, 1); }

std::string escaped(const std::string& text) {
  std::string safe;
  for (char c : text) safe += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return safe;
}

}  // namespace

Svg::Svg(double width, double height) {
  body_ << R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 )" << number(width) << ' ' << number(height)
        << R"(" font-family="sans-serif" font-size="12">)" << '\n';
  rectangle({0, 0}, width, height, "white");
}

void Svg::line(Point from, Point to, const std::string& colour, const std::string& dashes) {
  body_ << "<line x1=\"" << number(from.first) << "\" y1=\"" << number(from.second) << "\" x2=\"" << number(to.first)
        << "\" y2=\"" << number(to.second) << "\" stroke=\"" << colour << '"'
        << (dashes.empty() ? "" : " stroke-dasharray=\"" + dashes + "\"") << "/>\n";
}

void Svg::polyline(const std::vector<Point>& points, const std::string& colour) {
  body_ << "<polyline fill=\"none\" stroke=\"" << colour << "\" points=\"";
  for (const auto& [x, y] : points) body_ << number(x) << ',' << number(y) << ' ';
  body_ << "\"/>\n";
}

void Svg::circle(Point centre, double radius, const std::string& colour) {
  body_ << "<circle cx=\"" << number(centre.first) << "\" cy=\"" << number(centre.second) << "\" r=\"" << number(radius)
        << "\" fill=\"" << colour << "\"/>\n";
}

void Svg::rectangle(Point corner, double width, double height, const std::string& colour) {
  body_ << "<rect x=\"" << number(corner.first) << "\" y=\"" << number(corner.second) << "\" width=\"" << number(width)
        << "\" height=\"" << number(height) << "\" fill=\"" << colour << "\"/>\n";
}

void Svg::text(Point at, const std::string& text, const std::string& anchor, const std::string& colour) {
  body_ << "<text x=\"" << number(at.first) << "\" y=\"" << number(at.second) << "\" text-anchor=\"" << anchor
        << "\" fill=\"" << colour << "\">" << escaped(text) << "</text>\n";
}

std::string Svg::finish() const { return body_.str() + "</svg>\n"; }

}  // namespace kvmesh::cli

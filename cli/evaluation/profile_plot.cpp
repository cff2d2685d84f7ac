#include <algorithm>
#include <tuple>

#include "base/error.hpp"
#include "cli/evaluation/plots.hpp"
#include "cli/evaluation/svg.hpp"
#include "kvcodec/layer_score.hpp"
#include "kvcodec/layer_selection.hpp"

namespace kvmesh::cli {
namespace {

constexpr double kLeft = 40, kPanel = 220, kBars = 140, kTop = 50;

double bar_width(std::size_t layers) { return std::clamp(640.0 / static_cast<double>(layers), 6.0, 48.0); }

/// The layers that the topology's edge shares by these scores; by the profile's own ranking nothing is chosen.
std::vector<int> chosen_by(const orchestrator::Topology& topology, const orchestrator::EdgeProfile& measured) {
  for (const orchestrator::Edge& edge : topology.edges)
    if (edge.spec.medium == wire::Medium::kKv && edge.spec.from == measured.from && edge.spec.to == measured.to)
      return kvcodec::select_layers(edge.spec.layers, static_cast<int>(measured.scores.size()),
                                    {.importances = measured.scores, .best_sets = {}}, /*record_index=*/0);
  return {};
}

void draw_edge(Svg& svg, double top, const orchestrator::EdgeProfile& edge, const std::vector<int>& chosen) {
  const auto& [alpha, mu, sigma] = std::tie(edge.alpha, edge.mu, edge.sigma);
  const std::vector<double> score = kvcodec::layer_scores(edge.scores, alpha, mu, sigma);
  const std::vector<double> prior = kvcodec::layer_scores(edge.scores, /*alpha=*/0, mu, sigma);
  const double width = bar_width(score.size()), floor = top + kTop + kBars;
  svg.text({kLeft, top + 20}, cat(edge.from, " -> ", edge.to, ": score of each receiver layer, ", edge.samples,
                                  " sample(s), alpha ", alpha, ", mu ", mu, ", sigma ", sigma));
  svg.text({kLeft, top + 36}, "dark: chosen; layer 0 travels besides; line: prior", "start", "gray");
  std::vector<Svg::Point> line;
  for (std::size_t l = 0; l < score.size(); ++l) {
    const double left = kLeft + width * static_cast<double>(l), height = std::max(kBars * score[l], 1.0);
    const bool shared = std::find(chosen.begin(), chosen.end(), static_cast<int>(l)) != chosen.end();
    svg.rectangle({left + 1, floor - height}, width - 2, height, shared ? "steelblue" : "lightsteelblue");
    svg.text({left + width / 2, floor + 14}, std::to_string(l), "middle");
    line.push_back({left + width / 2, floor - kBars * prior[l]});
  }
  svg.polyline(line, "darkorange");
}

}  // namespace

std::string profile_plot(const orchestrator::Topology& topology, const orchestrator::Profile& profile) {
  double width = 560;
  for (const auto& edge : profile.edges)
    width = std::max(width, 2 * kLeft + bar_width(edge.scores.size()) * static_cast<double>(edge.scores.size()));
  Svg svg(width, kPanel * static_cast<double>(std::max<std::size_t>(profile.edges.size(), 1)));
  for (std::size_t i = 0; i < profile.edges.size(); ++i)
    draw_edge(svg, kPanel * static_cast<double>(i), profile.edges[i], chosen_by(topology, profile.edges[i]));
  return svg.finish();
}

}  // namespace kvmesh::cli

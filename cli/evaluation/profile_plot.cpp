#include <algorithm>
#include <tuple>

#include "base/error.hpp"
#include "cli/evaluation/plots.hpp"
#include "cli/evaluation/svg.hpp"
#include "cli/table.hpp"
#include "kvcodec/layer_score.hpp"
#include "kvcodec/layer_selection.hpp"
#include "orchestrator/loss_path.hpp"

namespace kvmesh::cli {
namespace {

constexpr double kLeft = 60, kPanel = 240, kBars = 140, kTop = 50, kWidth = 560;

double bar_width(std::size_t layers) { return std::clamp(640.0 / static_cast<double>(layers), 6.0, 48.0); }

/// The heads that a choice of heads comes to, numbered as the path numbers them.
std::vector<int> heads_of(const wire::LayerChoice& choice, const orchestrator::EdgeProfile& measured,
                          const kvcodec::EdgeMeasures& measures) {
  std::vector<int> heads;
  const wire::LayerChoice named = kvcodec::with_heads_named(choice, static_cast<int>(measured.scores.size()),
                                                            std::max(measured.heads, 1), measures);
  for (const wire::HeadsOfLayer& one : named.heads)
    for (const int head : one.heads) heads.push_back(one.layer * measured.heads + head);
  return heads;
}

/// The layers that the topology's edge shares by what was measured; by the profile's own ranking nothing is chosen.
std::vector<int> chosen_by(const orchestrator::Topology& topology, const orchestrator::EdgeProfile& measured) {
  kvcodec::EdgeMeasures measures{.importances = measured.scores,
                                 .best_sets = {},
                                 .heads = measured.heads,
                                 .layer_bytes = measured.layer_bytes};
  for (const bus::SharedLayers& set : measured.path) measures.best_sets.push_back(set.layers);
  for (const orchestrator::Edge& edge : topology.edges) {
    const bool same = edge.spec.from == measured.from && edge.spec.to == measured.to;
    if (edge.spec.medium != wire::Medium::kKv || !same) continue;
    if (edge.spec.layers.by_heads()) return heads_of(edge.spec.layers, measured, measures);
    return kvcodec::select_layers(edge.spec.layers, static_cast<int>(measured.scores.size()), measures,
                                  /*record_index=*/0);
  }
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

using Sets = std::vector<bus::SharedLayers>;

/// Loss against bytes per token of one edge that was searched by loss.
class LossPlot {
 public:
  LossPlot(Svg& svg, double top, const orchestrator::EdgeProfile& edge) : svg_(svg), top_(top), edge_(edge) {
    for (const Sets* sets : {&edge.path, &edge.by_attention})
      for (const bus::SharedLayers& set : *sets) most_loss_ = std::max(most_loss_, orchestrator::loss_of(edge, set));
    most_bytes_ = std::max(orchestrator::bytes_of(edge, edge.path.back()), 1.0);
  }

  void draw(const std::vector<int>& chosen) {
    const std::string records =
        edge_.checks > 0 ? cat(edge_.checks, " record(s) that check") : "the record(s) that chose";
    svg_.text({kLeft, top_ + 18},
              cat(edge_.from, " -> ", edge_.to, ": nats of the right answer against bytes per token, ", edge_.samples,
                  " sample(s), on ", records));
    svg_.text({kLeft, top_ + 34}, "blue: by loss", "start", "steelblue");
    svg_.text({kLeft + 90, top_ + 34}, "orange: by attention, layer 0 besides", "start", "darkorange");
    axes();
    std::vector<Svg::Point> attention, path;
    for (const bus::SharedLayers& set : edge_.by_attention) attention.push_back(by_layers(set));
    for (const bus::SharedLayers& set : edge_.path) path.push_back(on_path(set));
    curve(attention, "darkorange");
    curve(path, "steelblue");
    mark(orchestrator::knee(edge_), "knee", "crimson", -8);
    for (const bus::SharedLayers& set : edge_.path)
      if (set.layers == chosen) mark(set, "shared", "black", 16);
  }

 private:
  Svg::Point point(const bus::SharedLayers& set, double bytes) const {
    return {kLeft + kWidth * bytes / most_bytes_, y(orchestrator::loss_of(edge_, set))};
  }
  Svg::Point on_path(const bus::SharedLayers& set) const { return point(set, orchestrator::bytes_of(edge_, set)); }
  Svg::Point by_layers(const bus::SharedLayers& set) const {
    return point(set, static_cast<double>(set.layers.size()) * edge_.layer_bytes);
  }
  double y(double loss) const { return top_ + kTop + kBars * (1 - loss / most_loss_); }

  void axes() {
    svg_.line({kLeft, y(0)}, {kLeft + kWidth, y(0)}, "black");
    svg_.line({kLeft, y(0)}, {kLeft, y(most_loss_)}, "black");
    for (int tick = 0; tick <= 4; ++tick) {
      const double part = tick / 4.0;
      svg_.text({kLeft - 6, y(most_loss_ * part) + 4}, fixed(most_loss_ * part, 1), "end");
      svg_.text({kLeft + kWidth * part, y(0) + 16}, human_bytes(most_bytes_ * part), "middle");
    }
  }

  void curve(const std::vector<Svg::Point>& points, const std::string& colour) {
    svg_.polyline(points, colour);
    for (const Svg::Point& at : points) svg_.circle(at, 2, colour);
  }

  void mark(const bus::SharedLayers& set, const std::string& name, const std::string& colour, double above) {
    const Svg::Point at = on_path(set);
    svg_.circle(at, 5, colour);
    svg_.text({at.first + 6, at.second + above}, cat(name, ": ", orchestrator::describe_set(edge_, set)), "start",
              colour);
  }

  Svg& svg_;
  const double top_;
  const orchestrator::EdgeProfile& edge_;
  double most_loss_ = 1e-9, most_bytes_ = 1;
};

}  // namespace

std::string profile_plot(const orchestrator::Topology& topology, const orchestrator::Profile& profile) {
  double width = 2 * kLeft + kWidth;
  for (const auto& edge : profile.edges)
    width = std::max(width, 2 * kLeft + bar_width(edge.scores.size()) * static_cast<double>(edge.scores.size()));
  Svg svg(width, kPanel * static_cast<double>(std::max<std::size_t>(profile.edges.size(), 1)));
  for (std::size_t i = 0; i < profile.edges.size(); ++i) {
    const orchestrator::EdgeProfile& edge = profile.edges[i];
    const double top = kPanel * static_cast<double>(i);
    const std::vector<int> chosen = chosen_by(topology, edge);
    if (edge.path.empty()) draw_edge(svg, top, edge, chosen);
    else LossPlot(svg, top, edge).draw(chosen);
  }
  return svg.finish();
}

}  // namespace kvmesh::cli

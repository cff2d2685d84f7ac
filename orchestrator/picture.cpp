#include "orchestrator/picture.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "kvcodec/wire/edge_options.hpp"
#include "orchestrator/routes.hpp"

namespace kvmesh::orchestrator {
namespace {

constexpr std::size_t kWidth = 100;

std::string ranges(const std::vector<int>& layers) {
  std::string text;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    std::size_t last = i;
    while (last + 1 < layers.size() && layers[last + 1] == layers[last] + 1) ++last;
    text += cat(text.empty() ? "" : ",", layers[i]);
    if (last > i) text += cat('-', layers[last]);
    i = last;
  }
  return text.empty() ? "layer 0 only" : cat("layers ", text);
}

std::string counted(std::size_t number, const char* what) { return cat(number, ' ', what, number == 1 ? "" : "s"); }

std::string choice(const wire::LayerChoice& layers) {
  const char* by = layers.ranked() && layers.by == wire::By::kAttention ? " by attention" : "";
  switch (layers.kind) {
    case wire::LayerChoice::Kind::kRatio: return cat("ratio ", layers.ratio, by);
    case wire::LayerChoice::Kind::kTop: return cat("top ", layers.top, by);
    case wire::LayerChoice::Kind::kBytesPerToken: return cat(layers.bytes_per_token, " bytes per token", by);
    case wire::LayerChoice::Kind::kExplicit: return ranges(layers.layers);
    case wire::LayerChoice::Kind::kAll: return "all layers";
    case wire::LayerChoice::Kind::kRandom: return cat("random ", layers.ratio, " seed ", layers.seed);
    case wire::LayerChoice::Kind::kContiguous: return cat("contiguous ", layers.ratio);
    case wire::LayerChoice::Kind::kHeads: return cat("heads of ", counted(layers.heads.size(), "layer"));
  }
  return {};
}

class Painter {
 public:
  explicit Painter(const Topology& topology) : topology_(topology) {}

  /// Each receiver in topological order draws what comes in, so each arrow is drawn once.
  std::string paint() {
    for (const std::string& agent : topological_order(topology_)) {
      const auto edges = inbound_edges(topology_, agent);
      if (edges.empty() && outbound_edges(topology_, agent).empty()) new_line(box(agent), agent);
      if (edges.size() == 1) arrow(*edges.front());
      if (edges.size() > 1) fan_in(agent, edges);
    }
    new_line({}, {});
    return cat(topology_.name, ": ", counted(topology_.agents.size(), "agent"), ", ",
               counted(topology_.edges.size(), "edge"), ", output ", topology_.output, "\n\n", picture_);
  }

 private:
  std::string box(const std::string& agent) const {
    return cat('[', agent, ": ", get_agent(topology_, agent).model, ']', agent == topology_.output ? " => output" : "");
  }

  void new_line(std::string text, std::string end) {
    if (!line_.empty()) picture_ += cat("  ", line_, '\n');
    line_ = std::move(text);
    end_ = std::move(end);
  }

  /// One edge goes on where the line ends, as far as it is long; otherwise it starts a line.
  void arrow(const Edge& edge) {
    const std::string shaft = cat(" --", carries(edge.spec), "--> ", box(edge.spec.to));
    const bool goes_on = end_ == edge.spec.from && line_.size() + shaft.size() <= kWidth;
    if (goes_on) {
      line_ += shaft;
      end_ = edge.spec.to;
    } else {
      new_line(box(edge.spec.from) + shaft, edge.spec.to);
    }
  }

  /// Several edges meet in one column; the last of them carries the arrow's head.
  void fan_in(const std::string& agent, const std::vector<const Edge*>& edges) {
    std::size_t boxes = 0;
    std::size_t shafts = 0;
    for (const Edge* edge : edges) {
      boxes = std::max(boxes, box(edge->spec.from).size());
      shafts = std::max(shafts, carries(edge->spec).size());
    }
    for (const Edge* edge : edges) {
      std::string text = box(edge->spec.from);
      text += cat(std::string(boxes - text.size(), ' '), " --", carries(edge->spec));
      text += cat(std::string(shafts - carries(edge->spec).size(), '-'), "--+");
      if (edge == edges.back()) text += cat("--> ", box(agent));
      new_line(std::move(text), edge == edges.back() ? agent : std::string());
    }
  }

  const Topology& topology_;
  std::string picture_;
  std::string line_;
  std::string end_;  ///< the agent that the line ends with
};

}  // namespace

std::string carries(const wire::EdgeSpec& edge) {
  const wire::EdgeSpec standard;
  std::string text = wire::to_string(edge.medium);
  for (const wire::EdgeOption& option : wire::edge_options()) {
    if (!option.belongs_to(edge.medium)) continue;
    const std::optional<std::string> value = wire::text_of(option, edge);
    // A kv edge has a bound of tokens where it shares an output.
    const bool idle =
        edge.medium == wire::Medium::kKv && edge.share == wire::Share::kPrompt && option.field == "max_tokens";
    if (idle || (!option.always_shown && value == wire::text_of(option, standard))) continue;
    std::string words = option.words;
    if (const auto place = words.find("{}"); place != std::string::npos)
      words.replace(place, 2, value ? *value : choice(edge.layers));
    text += cat(", ", words);
  }
  return text;
}

std::string picture(const Topology& topology) { return Painter(topology).paint(); }

}  // namespace kvmesh::orchestrator

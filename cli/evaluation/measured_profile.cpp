#include "cli/evaluation/measured_profile.hpp"

#include "kvcodec/layer_score.hpp"

namespace kvmesh::cli {

orchestrator::Profile measured_profile(const orchestrator::Topology& topology, const orchestrator::Fingerprints& models,
                                       const std::vector<bus::EdgeScores>& scores, int samples) {
  orchestrator::Profile profile;
  for (const orchestrator::Edge& edge : topology.edges) {
    for (const bus::EdgeScores& measured : scores) {
      if (edge.spec.medium != wire::Medium::kKv || measured.from != edge.spec.from || measured.to != edge.spec.to)
        continue;
      const wire::LayerChoice& choice = edge.spec.layers;
      const std::vector<double> rounded = orchestrator::rounded_scores(measured.scores);
      profile.edges.push_back(
          {.from = measured.from,
           .to = measured.to,
           .sender = models.at(measured.from),
           .receiver = models.at(measured.to),
           .samples = samples,
           .alpha = choice.alpha,
           .mu = choice.mu,
           .sigma = choice.sigma,
           .scores = rounded,
           .ranking = kvcodec::rank_layers(kvcodec::layer_scores(rounded, choice.alpha, choice.mu, choice.sigma)),
           .path = measured.path,
           .by_attention = measured.by_attention,
           .checks = measured.checks});
    }
  }
  return profile;
}

}  // namespace kvmesh::cli

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
      orchestrator::EdgeProfile& made = profile.edges.emplace_back(orchestrator::profile_of(measured));
      made.sender = models.at(measured.from);
      made.receiver = models.at(measured.to);
      made.samples = samples;
      made.alpha = choice.alpha;
      made.mu = choice.mu;
      made.sigma = choice.sigma;
      made.ranking = kvcodec::rank_layers(kvcodec::layer_scores(made.scores, choice.alpha, choice.mu, choice.sigma));
    }
  }
  return profile;
}

}  // namespace kvmesh::cli

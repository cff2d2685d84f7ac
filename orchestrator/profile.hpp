#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// What was measured on one kv edge.
struct EdgeProfile {
  std::string from;
  std::string to;
  std::string sender;                          ///< fingerprint of the sender's weights
  std::string receiver;                        ///< and of the receiver's
  int samples = 0;                             ///< records that the scores are the mean of
  double alpha = 1.0, mu = 0.5, sigma = 10.0;  ///< what `ranking` was made with
  std::vector<double>
      scores;                ///< a number a receiver layer, raw: how much of its attention went to the sender's tokens
  std::vector<int> ranking;  ///< receiver layers, best first; for whoever reads the file, edges rank the scores anew
  std::vector<bus::SharedLayers> path = {};          ///< by loss, as bus::EdgeScores; empty: by attention alone
  std::vector<bus::SharedLayers> by_attention = {};  ///< the same
  int heads = 0;                                     ///< what `path` counts, the same
  int checks = 0;                                    ///< of `samples`, the last that checked
  double layer_bytes = 0;                            ///< of one token at one layer, as it travelled
  std::string wire = {};                             ///< with `wire: auto`, as bus::EdgeScores; else empty
  std::vector<bus::WireLoss> wires = {};             ///< the same
  bool operator==(const EdgeProfile&) const = default;
};

/// Scores that `kvmesh calibrate` measured, as a file that topologies name with `profile:`. A value. It holds no time
/// and no path: measuring the same twice gives the same file.
struct Profile {
  std::vector<EdgeProfile> edges;
  bool operator==(const Profile&) const = default;
};

/// Weights' fingerprints by agent, as `ready` brings them.
using Fingerprints = std::map<std::string, std::string>;

/// What was measured on one edge, with nothing of the models and records yet; and back.
EdgeProfile profile_of(const bus::EdgeScores& scores);
bus::EdgeScores scores_of(const EdgeProfile& edge);

/// To six decimals, which is what a profile holds: what is measured and what is read back select the same layers.
std::vector<double> rounded_scores(std::vector<double> scores);

/// JSON with an edge a line (docs/topology.md).
std::string to_json(const Profile& profile);

/// Throws Error{kFixInput} that names the file and what is wrong in it.
Profile read_profile(const std::filesystem::path& file);

/// Throws Error{kFixInput} for an edge of `topology` that selects by scores and that the profile does not have.
void check_profile(const Topology& topology, const Profile& profile);

/// The profile's scores for the edges of `topology` that select by scores. Throws Error{kFixInput} as check_profile(),
/// and where an edge was measured on other models than `models`, with both fingerprints.
std::vector<bus::EdgeScores> scores_for(const Topology& topology, const Profile& profile, const Fingerprints& models);

}  // namespace kvmesh::orchestrator

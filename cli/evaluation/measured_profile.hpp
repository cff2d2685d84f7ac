#pragma once

#include <vector>

#include "orchestrator/profile.hpp"

namespace kvmesh::cli {

/// The profile of scores that were measured on the kv edges of `topology`, averaged over `samples` records.
orchestrator::Profile measured_profile(const orchestrator::Topology& topology, const orchestrator::Fingerprints& models,
                                       const std::vector<bus::EdgeScores>& scores, int samples);

}  // namespace kvmesh::cli

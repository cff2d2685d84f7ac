#pragma once

#include <string>

#include "orchestrator/topology.hpp"

namespace kvmesh::cli {

/// Of each edge whose layers are chosen by loss: which answer they are chosen by and, where the topology's profile is
/// there, how few of them keep 95% of what everything gains. A line each; empty where there is no such edge. Throws
/// Error{kFixInput} for a profile or calibration records that cannot be read.
std::string loss_summary(const orchestrator::Topology& topology);

}  // namespace kvmesh::cli

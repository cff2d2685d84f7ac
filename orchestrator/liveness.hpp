#pragma once

#include <chrono>
#include <string>

namespace kvmesh::orchestrator {

/// A liveness as the topology and the command line write it: a whole number and its unit, ms, s, m or h ("10s"). Throws
/// Error{kFixInput} that quotes a text which is none, or is out of range.
std::chrono::milliseconds parse_liveness(const std::string& text);

/// Throws Error{kFixInput} for one outside of bus::Liveness::kShortest to kLongest.
void check_liveness(std::chrono::milliseconds liveness);

}  // namespace kvmesh::orchestrator

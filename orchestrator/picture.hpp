#pragma once

#include <string>

#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// The topology as a picture in text: a line for each arrow, agents with their models, arrows with what they carry.
std::string picture(const Topology& topology);

/// "kv, ratio 0.3, wire int8", "text, up to 128 tokens": what an arrow carries, and every option that is not as it is
/// where nobody says anything.
std::string carries(const wire::EdgeSpec& edge);

}  // namespace kvmesh::orchestrator

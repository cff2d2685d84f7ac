#pragma once

#include <map>
#include <string>
#include <vector>

#include "kvcodec/wire/manifest.hpp"
#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// Whether `text` can name a mesh, a model or an agent: it stands in topics and file names.
bool is_name(const std::string& text);
inline constexpr const char* kNameRule = "use letters, digits, '_', '-' and '.' only";

/// What a topology must be before anybody looks at a model: every name has its agent or model, no edge stands twice, no
/// cycle, prompts and edges agree on who is read where. Throws Error{kFixInput} for the first thing that is wrong,
/// "FILE:LINE: what is wrong; what to do".
void check_graph(const Topology& topology);

/// What is wrong with edges whose ends are these models, and with answers that are longer than a model's positions: one
/// sentence each, with file, line and the numbers; empty: all fits. `manifests` holds one for every agent.
std::vector<std::string> check_ends(const Topology& topology, const std::map<std::string, wire::Manifest>& manifests);

}  // namespace kvmesh::orchestrator

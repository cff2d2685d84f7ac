#pragma once

#include <filesystem>
#include <string>

#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// Reads a topology file (docs/topology.md). Throws Error{kFixInput} for the first thing that is wrong:
/// "FILE:LINE: what is wrong; what to do". Looks at the disk only to see that folders and files that it names are
/// there.
Topology load_topology(const std::filesystem::path& file);

/// The same for text that stands in `file`.
Topology parse_topology(const std::string& text, const std::filesystem::path& file);

}  // namespace kvmesh::orchestrator

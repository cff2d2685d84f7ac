#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "orchestrator/topology.hpp"

namespace kvmesh::orchestrator {

/// A topology file with everything that is wrong with it, so that one pass shows all of it.
struct TopologyReading {
  /// Sound where there is no problem; else what could be read of it: a model whose path could not be has an empty one.
  Topology topology;
  std::vector<std::string> problems;  ///< "FILE:LINE: what is wrong; what to do", each
};

/// Reads a topology file (docs/topology.md). Looks at the disk only to see that folders and files that it names are
/// there. Throws Error{kFixInput} where the file cannot be read or is not YAML.
TopologyReading read_topology(const std::filesystem::path& file);

/// As read_topology(), for whoever wants a sound topology: throws Error{kFixInput} with every problem, a line each.
Topology load_topology(const std::filesystem::path& file);

/// The same for text that stands in `file`.
Topology parse_topology(const std::string& text, const std::filesystem::path& file);

}  // namespace kvmesh::orchestrator

#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace kvmesh::orchestrator {

/// Reads input records, JSON Lines: an object a line, blank lines skipped. Each comes back with an "id" that is a
/// string: its own (a number as JSON writes it), or "record-N" after its line. Throws Error{kFixInput} that names file
/// and line: not readable, not JSON, not an object, an id of another type, an id twice, no record at all.
std::vector<nlohmann::json> read_records(const std::filesystem::path& file);

}  // namespace kvmesh::orchestrator

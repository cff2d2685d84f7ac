#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace kvmesh::orchestrator {

/// Input records and where they stand.
struct Records {
  std::filesystem::path file;
  std::vector<nlohmann::json> all;             ///< objects, each with an "id" that is a string
  std::vector<int> lines;                      ///< of each in the file, from 1
  std::string place(std::size_t index) const;  ///< "in.jsonl:7"
};

/// Reads JSON Lines: one object per line, blank lines skipped. A record's id is its own (a number as JSON writes it),
/// or "record-N" after its line. Whole numbers beyond 64 bits keep their digits, as text. Throws Error{kFixInput} that
/// names file and line: not readable, not JSON, a key twice, a number beyond a double, not an object, an id of another
/// type, an id twice, no record at all.
Records read_records(const std::filesystem::path& file);

}  // namespace kvmesh::orchestrator

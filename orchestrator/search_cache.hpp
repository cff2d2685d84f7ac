#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "orchestrator/profile.hpp"

namespace kvmesh::orchestrator {

/// What searches by loss found before, in files of one folder, so that none is made twice. What is known of one search
/// is a text (search_identity()), by whose hash its file is called. A folder that cannot be read or written keeps
/// nothing; nothing depends on it but time. Processes may share it.
class SearchCache {
 public:
  static constexpr std::uintmax_t kMostBytes = std::uintmax_t{16} << 20;

  /// `folder` is made when something is kept. Files of more than `most_bytes` in all go, the longest unused first.
  explicit SearchCache(std::filesystem::path folder, std::uintmax_t most_bytes = kMostBytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  /// XDG_CACHE_HOME/kvmesh/searches, else ~/.cache/kvmesh/searches; none where neither is known.
  static std::optional<std::filesystem::path> users_folder();

  std::filesystem::path file_of(const std::string& identity) const;
  /// None where it was not kept, or its file is not what was written.
  std::optional<std::vector<bus::EdgeScores>> find(const std::string& identity) const;
  void keep(const std::string& identity, const std::vector<bus::EdgeScores>& scores) const;

 private:
  void remove_oldest() const;

  const std::filesystem::path folder_;
  const std::uintmax_t most_bytes_;
};

/// All that a search's outcome depends on: models by their fingerprints, what agents and edges are but for how many
/// layers are shared, and the records.
std::string search_identity(const Topology& topology, const Fingerprints& models,
                            const std::vector<nlohmann::json>& records);

}  // namespace kvmesh::orchestrator

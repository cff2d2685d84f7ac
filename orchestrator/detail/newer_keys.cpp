#include "orchestrator/detail/newer_keys.hpp"

#include <algorithm>

namespace kvmesh::orchestrator::detail {

const std::vector<NewerKey>& newer_keys() {
  static const std::vector<NewerKey> all{
      // reliability
      {"deadline", "0.3"},
      {"fallback", "0.3"},
      {"restart", "0.3"},
      // agents that are programs, loops and branches
      {"builtin", "0.4"},
      {"command", "0.4"},
      {"defaults", "0.4"},
      {"ended_at", "0.4"},
      {"for_each", "0.4"},
      {"from_file", "0.4"},
      {"include", "0.4"},
      {"kind", "0.4"},
      {"rounds", "0.4"},
      {"to_file", "0.4"},
      {"truncate", "0.4"},
      {"until", "0.4"},
      {"when", "0.4"},
      // a server
      {"serve", "0.5"},
      // many machines
      {"colocate", "0.6"},
      {"host", "0.6"},
      {"launcher", "0.6"},
      {"resources", "0.6"},
  };
  return all;
}

std::string_view version_with(std::string_view key) {
  const auto& all = newer_keys();
  const auto found = std::find_if(all.begin(), all.end(), [&](const NewerKey& newer) { return newer.key == key; });
  return found == all.end() ? std::string_view() : found->version;
}

}  // namespace kvmesh::orchestrator::detail

#pragma once

#include <string_view>
#include <vector>

namespace kvmesh::orchestrator::detail {

/// A key of topology files that this program does not know and a later one will.
struct NewerKey {
  std::string_view key;
  std::string_view version;  ///< of kvmesh, the first that knows it
};

/// Names that are set aside for what is planned, so that a program of today says which one a file needs.
const std::vector<NewerKey>& newer_keys();
/// Empty: no later version is known to have that key.
std::string_view version_with(std::string_view key);

}  // namespace kvmesh::orchestrator::detail

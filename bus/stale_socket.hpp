#pragma once

#include <filesystem>

namespace kvmesh::bus {

/// Whether `path` is the socket file of a process that is gone: nobody listens there, and its name, which ends in
/// ".PID", is of no process that runs here. One without a pid is not told from one that is just being made.
bool is_stale_socket(const std::filesystem::path& path);

}  // namespace kvmesh::bus

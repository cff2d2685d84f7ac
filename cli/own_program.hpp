#pragma once

#include <filesystem>

namespace kvmesh::cli {

/// This program, to start agents with. The link itself would do to start from, but not to be named in a message.
inline std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace kvmesh::cli

#pragma once

#include <filesystem>

/// kvmesh is two programs (docs/decisions/0011-two-programs.md): `kvmesh`, which users start, and `kvmesh-host`, which
/// loads libtorch and runs the commands that compute with a model. Agents are started as kvmesh-host.
namespace kvmesh::cli {

/// The program that this process runs.
inline std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

/// kvmesh-host, for code that runs in kvmesh: the way to it is the same in the build tree and where both are installed.
std::filesystem::path host_program();

}  // namespace kvmesh::cli

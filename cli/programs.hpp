#pragma once

#include <filesystem>
#include <string>

/// kvmesh is three programs (docs/decisions/0011-programs.md): `kvmesh`, which users start, `kvmesh-host`, which
/// loads libtorch and runs the commands that compute with a model, and `kvmesh-bench`. Agents are started as
/// kvmesh-host.
namespace kvmesh::cli {

/// The program that this process runs.
inline std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

/// kvmesh-host, for code that runs in kvmesh: the way to it is the same in the build tree and where both are installed.
std::filesystem::path host_program();
/// The program of that name beside kvmesh-host.
std::filesystem::path beside_host(const std::string& name);

/// For kvmesh-host and kvmesh-bench: the name by which kvmesh was started before it became this program; execlp() finds
/// it again in the same way.
std::string user_program();

}  // namespace kvmesh::cli

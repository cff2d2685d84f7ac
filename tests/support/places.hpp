#pragma once

#include <filesystem>
#include <string>

namespace kvmesh::test {

/// The root of the source tree, absolute.
std::filesystem::path source_dir();
/// The kvmesh program of this build, absolute.
std::string program_path();

}  // namespace kvmesh::test

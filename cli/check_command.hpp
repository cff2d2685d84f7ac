#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>

namespace kvmesh::cli {

/// Reads a topology and what its models are, checks that every edge's ends fit, and prints the topology as a picture.
/// Starts nothing. Returns 0; throws Error{kFixInput} that says everything that does not fit.
int check_topology(const std::filesystem::path& topology);

/// `kvmesh check TOPOLOGY`.
void add_check_command(CLI::App& app, std::function<int()>& chosen);

}  // namespace kvmesh::cli

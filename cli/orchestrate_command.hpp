#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace kvmesh::cli {

/// `kvmesh orchestrate TOPOLOGY --bind ENDPOINT --input FILE`: a mesh whose agents are started by hand.
void add_orchestrate_command(CLI::App& app, std::function<int()>& chosen);

}  // namespace kvmesh::cli

#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "bus/endpoint.hpp"
#include "cli/start_options.hpp"

namespace kvmesh::cli {

struct RunArguments {
  std::filesystem::path topology;
  std::filesystem::path input;
  bool json = false;
  int samples = 1;
  int concurrency = 4;         ///< records on their way at the same time
  int threads = 0;             ///< compute threads an agent; 0: the cores over those that begin together
  StartOptions start;
  int record_deadline_s = 600;
  bool quiet = false;  ///< no progress on standard error
};

/// Runs every record of a file through a topology: starts the agents as processes (`bind` none), or waits at `bind` for
/// agents that somebody starts by hand. Returns 0, or 1 where a record failed; throws Error where the input is wrong
/// (kFixInput) or the mesh failed.
int run_mesh(const RunArguments& arguments, const std::optional<bus::Endpoint>& bind);

/// The options that run and orchestrate have in common.
void add_run_options(CLI::App& command, RunArguments& arguments);

}  // namespace kvmesh::cli

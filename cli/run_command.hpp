#pragma once

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

#include "bus/endpoint.hpp"
#include "cli/start_options.hpp"

namespace kvmesh::cli {

struct RunArguments {
  std::filesystem::path topology;
  std::filesystem::path input;
  bool json = false;
  bool strict = false;         ///< one record that cannot be run refuses all of them
  std::optional<int> samples;  ///< calibration records that scores are averaged over, at most; none: 1
  int concurrency = 4;         ///< records on their way at the same time
  int threads = 0;             ///< compute threads per agent; 0: each host's cores, divided (docs/cli.md#threads)
  StartOptions start;
  int record_deadline_s = 600;
  bool quiet = false;  ///< no progress on standard error
};

/// Runs every record of a file through a topology: starts the agents as processes (`bind` none), or waits at `bind` for
/// agents that somebody starts by hand. Returns 0, or 1 where a record failed; throws Error where the input is wrong
/// (kFixInput) or the mesh failed.
int run_mesh(const RunArguments& arguments, const std::optional<bus::Endpoint>& bind, std::ostream& out);

/// The options that run and orchestrate have in common.
void add_run_options(Command command, RunArguments& arguments);

}  // namespace kvmesh::cli

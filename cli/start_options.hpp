#pragma once

#include <chrono>
#include <optional>

#include "cli/arguments.hpp"
#include "orchestrator/orchestrator.hpp"

namespace kvmesh::cli {

/// What every command that starts agents, or waits for some, has in common: how long it waits, as its user says, and
/// where searches by loss are kept.
struct StartOptions {
  int ready_deadline_s = 600;                         ///< for each step of an agent's start
  std::optional<std::chrono::milliseconds> liveness;  ///< none: as the topology says

  void apply(orchestrator::OrchestratorOptions& options) const {
    options.search_cache = orchestrator::SearchCache::users_folder();
    options.deadlines.start = std::chrono::seconds(ready_deadline_s);
    options.liveness = liveness;
  }
};

/// --ready-deadline and --liveness.
void add_start_options(Command command, StartOptions& options);

}  // namespace kvmesh::cli

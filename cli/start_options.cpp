#include "cli/start_options.hpp"

#include <string>

#include "base/error.hpp"
#include "cli/number_checks.hpp"
#include "orchestrator/liveness.hpp"

namespace kvmesh::cli {

void add_start_options(Command command, StartOptions& options) {
  command
      .option("--ready-deadline", options.ready_deadline_s,
              "Seconds that each step of an agent's start may take: to join, and to load its model")
      .check(whole_number(1, 7 * 24 * 3600))
      .show_default();
  command.option(
      "--liveness", [&options](const std::string& text) { options.liveness = orchestrator::parse_liveness(text); },
      "The silence after which an agent is taken for dead: 10s, 500ms, 2m; default: the topology's, else 10s");
}

}  // namespace kvmesh::cli

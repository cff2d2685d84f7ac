#include "cli/start_options.hpp"

#include <string>

#include "base/error.hpp"
#include "cli/number_checks.hpp"
#include "orchestrator/liveness.hpp"

namespace kvmesh::cli {

void add_start_options(CLI::App& command, StartOptions& options) {
  command
      .add_option("--ready-deadline", options.ready_deadline_s,
                  "Seconds that each step of an agent's start may take: to join, and to load its model")
      ->check(whole_number(1, 7 * 24 * 3600))
      ->capture_default_str();
  command.add_option_function<std::string>(
      "--liveness",
      [&options](const std::string& text) {
        try {
          options.liveness = orchestrator::parse_liveness(text);
        } catch (const Error& error) {
          throw CLI::ValidationError("--liveness", error.what());
        }
      },
      "The silence after which an agent is taken for dead: 10s, 500ms, 2m; default: the topology's, else 10s");
}

}  // namespace kvmesh::cli

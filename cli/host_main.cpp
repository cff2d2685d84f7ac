// The kvmesh-host program: the commands that compute with a model. Users start it through kvmesh; agents are started as
// this program.

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "cli/commands.hpp"
#include "cli/program.hpp"
#include "llm/runtime.hpp"

namespace {

using namespace kvmesh;

void add_commands(cli::Command app) {
  cli::add_agent_command(app);
  cli::add_agents_command(app);
  cli::add_inspect_command(app);
  cli::add_generate_command(app);
  cli::add_logits_command(app);
  cli::add_share_command(app);
  cli::add_calibrate_command(app);
  cli::add_eval_command(app);
  cli::add_demo_command(app);
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("kvmesh"));
  spdlog::set_pattern("%^%l%$: %v");
  return cli::run_program(argc, argv, [argv](cli::Command app) {
    llm::prepare_process(argv);
    add_commands(app);
  });
}

// The kvmesh program: builds everything explicitly and runs the subcommand that was asked for.

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <string>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "llm/runtime.hpp"

namespace {

using namespace kvmesh;

/// Help and the version were asked for, or the command line is wrong: one line that says what and where help is.
int end_of_parsing(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (error.get_exit_code() == 0) return app.exit(error);
  const std::string first = argc > 1 ? argv[1] : "";
  const auto commands = app.get_subcommands([&](const CLI::App* one) { return one->get_name() == first; });
  const std::string command = commands.empty() ? "kvmesh" : "kvmesh " + first;
  const bool unknown = commands.empty() && !first.empty() && first[0] != '-';
  std::cerr << "kvmesh: " << (unknown ? "there is no command \"" + first + "\"" : error.what()) << "; " << command
            << " --help lists what there is\n";
  return cli::kExitBadInput;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away ("kvmesh run ... | head") is an error of that write, not the end of the mesh.
  std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_color_mt("kvmesh"));
  spdlog::set_pattern("%^%l%$: %v");

  CLI::App app("kvmesh: language models that talk in KV cache");
  app.require_subcommand(1);
  app.set_version_flag("--version", KVMESH_VERSION);
  cli::Action action;
  cli::add_run_command(app, action);
  cli::add_check_command(app, action);
  cli::add_orchestrate_command(app, action);
  cli::add_agent_command(app, action);
  cli::add_agents_command(app, action);
  cli::add_inspect_command(app, action);
  cli::add_generate_command(app, action);
  cli::add_logits_command(app, action);
  cli::add_tokenize_command(app, action);
  cli::add_render_command(app, action);
  cli::add_share_command(app, action);
  cli::add_calibrate_command(app, action);
  cli::add_eval_command(app, action);
  cli::add_demo_command(app, action);
  cli::add_bench_command(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(app, error, argc, argv);
  }
  try {
    llm::prepare_process(argv);
    return action();
  } catch (const Error& error) {
    std::cerr << "kvmesh: " << error.what() << '\n';
    return error.kind() == ErrorKind::kFixInput ? cli::kExitBadInput : cli::kExitMeshFailed;
  } catch (const std::exception& error) {
    std::cerr << "kvmesh: " << error.what() << '\n';
    return cli::kExitMeshFailed;
  }
}

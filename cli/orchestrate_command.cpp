#include <memory>
#include <string>

#include "cli/commands.hpp"
#include "cli/run_command.hpp"

namespace kvmesh::cli {
namespace {

struct OrchestrateArguments {
  RunArguments run;
  std::string bind;
};

}  // namespace

void add_orchestrate_command(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<OrchestrateArguments>();
  CLI::App* command =
      app.add_subcommand("orchestrate", "Run records through a topology whose agents are started by hand");
  add_run_options(*command, arguments->run);
  command->add_option("--bind", arguments->bind, "Where agents connect to: ipc:///path or tcp://host:port")->required();
  command->callback([arguments, &action] {
    action = [arguments](std::ostream& out) {
      return run_mesh(arguments->run, bus::Endpoint::parse(arguments->bind), out);
    };
  });
}

}  // namespace kvmesh::cli

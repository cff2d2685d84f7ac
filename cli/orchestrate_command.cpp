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

void add_orchestrate_command(Command app) {
  auto arguments = std::make_shared<OrchestrateArguments>();
  Command command = app.subcommand("orchestrate", "Run records through a topology whose agents are started by hand");
  add_run_options(command, arguments->run);
  command.option("--bind", arguments->bind, "Where agents connect to: ipc:///path or tcp://host:port").required();
  command.runs(
      [arguments](std::ostream& out) { return run_mesh(arguments->run, bus::Endpoint::parse(arguments->bind), out); });
}

}  // namespace kvmesh::cli

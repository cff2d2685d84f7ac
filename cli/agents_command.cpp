#include "agents/agent_process.hpp"
#include "cli/commands.hpp"
#include "orchestrator/agent_copies.hpp"

namespace kvmesh::cli {

void add_agents_command(Command app) {
  struct Arguments {
    std::vector<std::string> names;
    std::string connect;
  };
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("agents", "Host agents of a mesh, each in a process of its own");
  command.hide();  // an orchestrator's way to start them; a person starts `agent`
  command.option("names", arguments->names, "The agents' names in the topology").required();
  command.option("--connect", arguments->connect, "Where the orchestrator listens").required();
  command.runs([arguments](std::ostream&) {
    const std::string name = orchestrator::become_agent(arguments->names, arguments->connect);
    const std::optional<Error> failure = agents::run_agent({.name = name,
                                                            .orchestrator = bus::Endpoint::parse(arguments->connect),
                                                            .publish = std::nullopt,
                                                            .child = true});
    if (!failure) return kExitOk;
    return failure->kind() == ErrorKind::kFixInput ? kExitBadInput : kExitMeshFailed;  // its user has been told why
  });
}

}  // namespace kvmesh::cli

#include "agents/agent_process.hpp"
#include "cli/commands.hpp"
#include "orchestrator/agent_copies.hpp"

namespace kvmesh::cli {

void add_agents_command(CLI::App& app, Action& action) {
  struct Arguments {
    std::vector<std::string> names;
    std::string connect;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("agents", "Host agents of a mesh, each in a process of its own");
  command->group("");  // an orchestrator's way to start them; a person starts `agent`
  command->add_option("names", arguments->names, "The agents' names in the topology")->required();
  command->add_option("--connect", arguments->connect, "Where the orchestrator listens")->required();
  command->callback([&action, arguments] {
    action = [arguments](std::ostream&) {
      const std::string name = orchestrator::become_agent(arguments->names, arguments->connect);
      const std::optional<Error> failure = agents::run_agent({.name = name,
                                                              .orchestrator = bus::Endpoint::parse(arguments->connect),
                                                              .publish = std::nullopt,
                                                              .child = true});
      if (!failure) return kExitOk;
      return failure->kind() == ErrorKind::kFixInput ? kExitBadInput : kExitMeshFailed;  // its user has been told why
    };
  });
}

}  // namespace kvmesh::cli

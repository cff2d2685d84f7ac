#include "agents/agent_process.hpp"
#include "cli/commands.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/number_checks.hpp"

namespace kvmesh::cli {

void add_agent_command(Command app) {
  struct Arguments {
    std::string name, connect, publish;
    int ready_deadline_s = 600;
  };
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("agent", summary_of("agent"));
  command.option("name", arguments->name, "The agent's name in the topology").required();
  command.option("--connect", arguments->connect, "Where the orchestrator listens: ipc://PATH or tcp://HOST:PORT")
      .required();
  command.option("--publish", arguments->publish,
                 "Where this agent publishes; default: beside an ipc endpoint, or any free port for tcp");
  command
      .option("--ready-deadline", arguments->ready_deadline_s,
              "Seconds to wait until an orchestrator answers; from then on, its own deadlines count")
      .check(whole_number(1, 7 * 24 * 3600))
      .show_default();
  command.runs([arguments](std::ostream&) {
    agents::AgentOptions options{.name = arguments->name,
                                 .orchestrator = bus::Endpoint::parse(arguments->connect),
                                 .publish = std::nullopt,
                                 .answer_deadline = std::chrono::seconds(arguments->ready_deadline_s)};
    if (!arguments->publish.empty()) options.publish = bus::Endpoint::parse(arguments->publish);
    agents::run_agent(options);  // throws where it does not end well
    return kExitOk;
  });
}

}  // namespace kvmesh::cli

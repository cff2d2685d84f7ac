// The kvmesh program: runs the commands that compute with no model, and hands all others on to kvmesh-host and
// kvmesh-bench. It links no libtorch, so that it starts at once.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "cli/commands.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/program.hpp"
#include "cli/programs.hpp"

namespace {

using namespace kvmesh;

/// The same command line in the program that runs `command`, in this process. Returns only where that program cannot be
/// started.
int become(const cli::HostedCommand& command, char** argv) {
  const std::string program = cli::beside_host(command.program).string();
  // OpenMP reads it before main. An agent shares its cores with others, to whom threads that spin leave none.
  if (std::strcmp(command.name, "agent") == 0) ::setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
  ::execv(program.c_str(), argv);
  std::cerr << "kvmesh: \"" << command.name << "\" needs the program " << program << ", which cannot be started ("
            << std::strerror(errno) << "); build kvmesh whole with scripts/build, or install it anew\n";
  return cli::kExitMeshFailed;
}

void add_commands(cli::Command app) {
  cli::add_run_command(app);
  cli::add_check_command(app);
  cli::add_orchestrate_command(app);
  cli::add_tokenize_command(app);
  cli::add_render_command(app);
  for (const cli::HostedCommand& command : cli::kHostedCommands)
    if (*command.summary != '\0') app.subcommand(command.name, command.summary);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1)
    if (const cli::HostedCommand* command = cli::find_hosted(argv[1])) return become(*command, argv);
  return cli::run_program(argc, argv, add_commands);
}

// The kvmesh program: runs the commands that compute with no model, and hands all others on to kvmesh-host. It links no
// libtorch, so that it starts at once.

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

/// The same command line in kvmesh-host, in this process. Returns only where that program cannot be started.
int become_host(char** argv) {
  const std::string host = cli::host_program().string();
  // OpenMP reads it before main. An agent shares its cores with others, to whom threads that spin leave none.
  if (std::strcmp(argv[1], "agent") == 0) ::setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
  ::execv(host.c_str(), argv);
  std::cerr << "kvmesh: \"" << argv[1] << "\" needs the program " << host << ", which cannot be started ("
            << std::strerror(errno) << "); install kvmesh anew\n";
  return cli::kExitMeshFailed;
}

void add_commands(CLI::App& app, cli::Action& action) {
  cli::add_run_command(app, action);
  cli::add_check_command(app, action);
  cli::add_orchestrate_command(app, action);
  cli::add_tokenize_command(app, action);
  cli::add_render_command(app, action);
  for (const cli::HostedCommand& command : cli::kHostedCommands)
    if (*command.summary != '\0') app.add_subcommand(command.name, command.summary);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && cli::find_hosted(argv[1]) != nullptr) return become_host(argv);
  return cli::run_program(argc, argv, add_commands);
}

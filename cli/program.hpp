#pragma once

#include <functional>

#include "cli/commands.hpp"

namespace kvmesh::cli {

/// What the programs have in common: reads the command line, runs the command that it asks for, says what goes
/// wrong in one line, and returns the exit status. `add_commands` adds the commands of this program.
int run_program(int argc, char** argv, const std::function<void(Command)>& add_commands);

}  // namespace kvmesh::cli

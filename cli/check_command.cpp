#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/commands.hpp"
#include "cli/preflight.hpp"
#include "orchestrator/picture.hpp"

namespace kvmesh::cli {
namespace {

/// Reads a topology and what its models are, checks that every edge's ends fit, and prints the topology as a picture.
/// Starts nothing. Throws Error{kFixInput} that says everything that does not fit.
int check_topology(const std::filesystem::path& file, std::ostream& out) {
  out << orchestrator::picture(load_checked(file)) << std::flush;
  return kExitOk;
}

}  // namespace

void add_check_command(CLI::App& app, Action& action) {
  auto file = std::make_shared<std::filesystem::path>();
  CLI::App* command = app.add_subcommand("check", "Check a topology without starting anything, and print its picture");
  command->add_option("topology", *file, "The topology, a YAML file (docs/topology.md)")->required();
  command->callback([file, &action] { action = [file](std::ostream& out) { return check_topology(*file, out); }; });
}

}  // namespace kvmesh::cli

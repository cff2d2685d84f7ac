#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/commands.hpp"
#include "cli/loss_summary.hpp"
#include "cli/preflight.hpp"
#include "orchestrator/picture.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::filesystem::path topology;
  bool deep = false;
};

/// Looks at a topology and at the files of its models, and prints the topology as a picture. Starts nothing and loads
/// no weights. Throws Error{kFixInput} that says everything that is wrong.
int check_topology(const Arguments& arguments, std::ostream& out) {
  const orchestrator::Topology topology =
      load_checked(arguments.topology, arguments.deep ? Look::kEveryNumber : Look::kHeaders);
  out << orchestrator::picture(topology);
  if (const std::string summary = loss_summary(topology); !summary.empty()) out << '\n' << summary;
  return kExitOk;
}

}  // namespace

void add_check_command(Command app) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("check", "Check a topology without starting anything, and print its picture");
  command.option("topology", arguments->topology, "The topology, a YAML file (docs/topology.md)").required();
  command.flag("--deep", arguments->deep, "Read every weight too, and refuse NaN and infinity");
  command.runs([arguments](std::ostream& out) { return check_topology(*arguments, out); });
}

}  // namespace kvmesh::cli

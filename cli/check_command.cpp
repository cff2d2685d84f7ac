#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "agents/llm/config.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "orchestrator/picture.hpp"
#include "orchestrator/topology_check.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::cli {
namespace {

/// Reads a topology and what its models are, checks that every edge's ends fit, and prints the topology as a picture.
/// Starts nothing. Throws Error{kFixInput} that says everything that does not fit.
int check_topology(const std::filesystem::path& file) {
  const orchestrator::Topology topology = orchestrator::load_topology(file);
  std::map<std::string, wire::Manifest> manifests;
  for (const orchestrator::AgentSpec& agent : topology.agents) {
    manifests[agent.name] = llm::read_manifest(orchestrator::model_of(topology, agent).path);
  }
  std::string problems;
  for (const std::string& problem : orchestrator::check_ends(topology, manifests)) {
    problems += cat(problems.empty() ? "" : "\n", problem);
  }
  if (!problems.empty()) throw Error(ErrorKind::kFixInput, problems);
  std::cout << orchestrator::picture(topology) << std::flush;
  return kExitOk;
}

}  // namespace

void add_check_command(CLI::App& app, Action& action) {
  auto file = std::make_shared<std::filesystem::path>();
  CLI::App* command = app.add_subcommand("check", "Check a topology without starting anything, and print its picture");
  command->add_option("topology", *file, "The topology, a YAML file (docs/topology.md)")->required();
  command->callback([file, &action] { action = [file] { return check_topology(*file); }; });
}

}  // namespace kvmesh::cli

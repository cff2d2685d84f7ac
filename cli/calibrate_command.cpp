#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/evaluation/measured_profile.hpp"
#include "cli/evaluation/plots.hpp"
#include "cli/evaluation/svg.hpp"
#include "cli/own_program.hpp"
#include "cli/preflight.hpp"
#include "cli/start_options.hpp"
#include "cli/table.hpp"
#include "orchestrator/orchestrator.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/tasks.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::filesystem::path topology, input;
  std::string output, plot;
  int samples = 1, threads = 0;
  bool json = false, quiet = false;
  StartOptions start;
};

std::vector<nlohmann::json> first_records(const orchestrator::Topology& topology, const Arguments& arguments) {
  std::vector<nlohmann::json> records = orchestrator::read_records(arguments.input);
  records.resize(std::min(records.size(), static_cast<std::size_t>(arguments.samples)));
  for (const nlohmann::json& record : records)
    orchestrator::make_tasks(topology, record, /*index=*/0, /*request=*/"", /*calibrate=*/true, {});
  return records;
}

void print_table(const orchestrator::Profile& profile) {
  for (const orchestrator::EdgeProfile& edge : profile.edges) {
    std::cout << edge.from << " -> " << edge.to << ", " << edge.samples << " sample(s)\n\n";
    Table table({"rank", "layer", "score"});
    for (std::size_t rank = 0; rank < edge.ranking.size(); ++rank)
      table.add({std::to_string(rank + 1), std::to_string(edge.ranking[rank]),
                 fixed(edge.scores.at(static_cast<std::size_t>(edge.ranking[rank])), 4)});
    table.print(std::cout);
    std::cout << '\n';
  }
}

int calibrate(const Arguments& arguments) {
  orchestrator::Topology topology = orchestrator::load_topology(arguments.topology);
  const std::string output = !arguments.output.empty() ? arguments.output
                             : topology.profile        ? topology.profile->string()
                                                       : std::string();
  topology.profile.reset();  // it is about to be made
  const bool shares = std::any_of(topology.edges.begin(), topology.edges.end(),
                                  [](const orchestrator::Edge& edge) { return edge.spec.medium == wire::Medium::kKv; });
  if (!shares) fail_input(arguments.topology.string(), ": has no kv edge to measure; there is nothing to calibrate");
  check_models(topology);
  const std::vector<nlohmann::json> records = first_records(topology, arguments);
  check_lengths(topology, records);

  orchestrator::OrchestratorOptions options{.program = own_program(), .threads = arguments.threads};
  arguments.start.apply(options);
  if (!arguments.quiet) options.log = [](const std::string& text) { std::cerr << cat("kvmesh: ", text, '\n'); };
  orchestrator::Orchestrator mesh(topology, options);
  mesh.start();
  const std::vector<bus::EdgeScores> scores = mesh.calibrate(records);
  const orchestrator::Profile profile =
      measured_profile(topology, mesh.models(), scores, static_cast<int>(records.size()));
  mesh.stop();

  if (!output.empty()) write_file(output, orchestrator::to_json(profile));
  if (!arguments.plot.empty()) write_file(arguments.plot, profile_plot(topology, profile));
  if (arguments.json || output.empty()) std::cout << orchestrator::to_json(profile);
  else print_table(profile);
  return kExitOk;
}

}  // namespace

void add_calibrate_command(CLI::App& app, Action& action) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("calibrate", "measure the layer scores of every kv edge, and write a profile");
  command->add_option("topology", a->topology, "the topology, a YAML file (docs/topology.md)")->required();
  command->add_option("--input", a->input, "records to measure on, JSON Lines")->required();
  command->add_option("--samples", a->samples, "records to average over, the first of the file")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--output", a->output,
                      "the profile; default: what the topology's profile: names, else standard "
                      "output");
  command->add_option("--plot", a->plot, "draw scores, prior and chosen layers into this SVG file");
  command->add_flag("--json", a->json, "the profile on standard output");
  command->add_option("--threads", a->threads, "compute threads an agent; 0: the cores over those that begin together")
      ->check(CLI::Range(0, 4096));
  add_start_options(*command, a->start);
  command->add_flag("--quiet", a->quiet, "no progress on standard error");
  command->callback([&action, a] { action = [a] { return calibrate(*a); }; });
}

}  // namespace kvmesh::cli

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/complaints.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/evaluation/measured_profile.hpp"
#include "cli/evaluation/plots.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/length_check.hpp"
#include "cli/number_checks.hpp"
#include "cli/output.hpp"
#include "cli/output_file.hpp"
#include "cli/preflight.hpp"
#include "cli/programs.hpp"
#include "cli/start_options.hpp"
#include "cli/table.hpp"
#include "orchestrator/loss_path.hpp"
#include "orchestrator/orchestrator.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/tasks.hpp"
#include "orchestrator/topology_check.hpp"
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
  orchestrator::Records records = orchestrator::read_records(arguments.input);
  records.all.resize(std::min(records.all.size(), static_cast<std::size_t>(arguments.samples)));
  const LengthCheck lengths(topology);
  Complaints complaints;
  for (std::size_t i = 0; i < records.all.size(); ++i) {
    std::optional<std::string> problem = orchestrator::record_problem(topology, records.all[i]);
    if (!problem) problem = lengths.problem(records.all[i]);
    if (problem) complaints.add(records.place(i), ": ", *problem);
  }
  orchestrator::throw_problems(complaints.texts());
  return std::move(records.all);
}

/// A layer's number, or that of a head of it: "8.2".
std::string name_of(const orchestrator::EdgeProfile& edge, int number) {
  return edge.heads == 0 ? std::to_string(number) : cat(number / edge.heads, '.', number % edge.heads);
}

/// What each number of layers keeps of everything's worth.
void print_path(const orchestrator::EdgeProfile& edge, std::ostream& out) {
  const bool checked = edge.checks > 0;
  std::vector<std::string> head{edge.heads != 0 ? "heads" : "layers", "bytes a token", "loss"};
  if (checked) head.push_back("checked");
  head.insert(head.end(), {"kept", "which"});
  Table table(head);
  for (const bus::SharedLayers& set : edge.path) {
    std::vector<std::string> row{std::to_string(set.layers.size()), human_bytes(orchestrator::bytes_of(edge, set)),
                                 fixed(set.loss, 3)};
    if (checked) row.push_back(fixed(set.checked, 3));
    std::string which;
    for (const int number : set.layers) which += cat(which.empty() ? "" : ",", name_of(edge, number));
    row.insert(row.end(), {fixed(orchestrator::kept_share(edge, set), 2), which});
    table.add(row);
  }
  table.print(out);
  const bus::SharedLayers &enough = orchestrator::smallest_that_keeps(edge, 0.95), &knee = orchestrator::knee(edge);
  out << "\n95% of what everything gains: " << orchestrator::describe_set(edge, enough)
      << "; knee: " << orchestrator::describe_set(edge, knee) << "\n\n";
}

void print_table(const orchestrator::Profile& profile, std::ostream& out) {
  for (const orchestrator::EdgeProfile& edge : profile.edges) {
    out << edge.from << " -> " << edge.to << ", " << edge.samples << " sample(s)\n\n";
    if (!edge.path.empty()) {
      print_path(edge, out);
      continue;
    }
    Table table({"rank", "layer", "score"});
    for (std::size_t rank = 0; rank < edge.ranking.size(); ++rank)
      table.add({std::to_string(rank + 1), std::to_string(edge.ranking[rank]),
                 fixed(edge.scores.at(static_cast<std::size_t>(edge.ranking[rank])), 4)});
    table.print(out);
    out << '\n';
  }
}

int calibrate(const Arguments& arguments, std::ostream& out) {
  orchestrator::Topology topology = orchestrator::load_topology(arguments.topology);
  const std::optional<std::filesystem::path> named = std::exchange(topology.profile, std::nullopt);  // made below
  const bool shares = std::any_of(topology.edges.begin(), topology.edges.end(),
                                  [](const orchestrator::Edge& edge) { return edge.spec.medium == wire::Medium::kKv; });
  if (!shares) fail_input(arguments.topology.string(), ": has no kv edge to measure; there is nothing to calibrate");
  check_models(topology);
  const std::vector<nlohmann::json> records = first_records(topology, arguments);
  std::optional<OutputFile> output, plot;
  if (!arguments.output.empty()) output.emplace("--output", arguments.output);
  else if (named) output.emplace(arguments.topology.string() + ": profile", *named);
  if (!arguments.plot.empty()) plot.emplace("--plot", arguments.plot);

  orchestrator::OrchestratorOptions options{.program = own_program(), .threads = arguments.threads};
  arguments.start.apply(options);
  if (!arguments.quiet)
    options.log = [](const std::string& text) { std::cerr << printable(cat("kvmesh: ", text, '\n')); };
  orchestrator::Orchestrator mesh(topology, options);
  mesh.start();
  const std::vector<bus::EdgeScores> scores = mesh.calibrate(records);
  const orchestrator::Profile profile =
      measured_profile(topology, mesh.models(), scores, static_cast<int>(records.size()));
  mesh.stop();

  if (output) output->write(orchestrator::to_json(profile));
  if (plot) plot->write(profile_plot(topology, profile));
  if (arguments.json || !output) out << orchestrator::to_json(profile);
  else print_table(profile, out);
  return kExitOk;
}

}  // namespace

void add_calibrate_command(Command app) {
  auto a = std::make_shared<Arguments>();
  Command command = app.subcommand("calibrate", summary_of("calibrate"));
  command.option("topology", a->topology, "The topology, a YAML file (docs/topology.md)").required();
  command.option("--input", a->input, "The records to measure on, JSON Lines").required();
  command.option("--samples", a->samples, "How many records to average over, the first of the file")
      .check(whole_number(1, 1'000'000))
      .show_default();
  command.option("--output", a->output,
                 "Write the profile here; default: the file that the topology's profile: names, or standard output");
  command.option("--plot", a->plot, "Draw loss against bytes into this SVG file, or scores by attention");
  command.flag("--json", a->json, "Print the profile");
  command.option("--threads", a->threads, kThreadsHelp).check(thread_count()).show_default();
  add_start_options(command, a->start);
  command.flag("--quiet", a->quiet, "Print no progress");
  command.runs([a](std::ostream& out) { return calibrate(*a, out); });
}

}  // namespace kvmesh::cli

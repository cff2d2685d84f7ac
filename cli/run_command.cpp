#include "cli/run_command.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/own_program.hpp"
#include "cli/preflight.hpp"
#include "cli/table.hpp"
#include "orchestrator/orchestrator.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/tasks.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::cli {
namespace {

using nlohmann::json;
using orchestrator::RecordOutcome;
using orchestrator::Topology;

json to_json(const RecordOutcome& outcome) {
  json edges = json::array();
  for (const bus::EdgeReport& edge : outcome.edges) {
    edges.push_back({{"from", edge.from},
                     {"to", edge.to},
                     {"medium", edge.medium},
                     {"layers", edge.layers},
                     {"bytes", edge.bytes}});
  }
  json line{{"id", outcome.id},          {"output", outcome.output},   {"answers", outcome.answers},
            {"edges", std::move(edges)}, {"ttft_ms", outcome.ttft_ms}, {"receiver_ttft_ms", outcome.receiver_ttft_ms}};
  if (outcome.error) line["error"] = *outcome.error;
  return line;
}

void print_json(const RecordOutcome& outcome) {
  // A model may stop in the middle of a character: such bytes become U+FFFD.
  std::cout << to_json(outcome).dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
}

void print_readable(const Topology& topology, const RecordOutcome& outcome) {
  std::cout << outcome.id << ": ";
  if (outcome.error) {
    std::cout << "failed: " << *outcome.error << std::endl;
    return;
  }
  std::cout << trimmed(outcome.output) << '\n';
  for (const auto& [agent, answer] : outcome.answers) {
    if (agent != topology.output) std::cout << "    " << agent << " said: " << trimmed(answer) << '\n';
  }
  for (const bus::EdgeReport& edge : outcome.edges) {
    std::cout << "    " << edge.from << " -> " << edge.to << ": " << edge.medium
              << (edge.layers.empty() ? "" : cat(", ", edge.layers)) << ", " << edge.bytes << " bytes\n";
  }
  std::cout << "    first token after " << static_cast<int>(outcome.ttft_ms + 0.5) << " ms" << std::endl;
}

orchestrator::OrchestratorOptions options_of(const RunArguments& arguments, const std::optional<bus::Endpoint>& bind,
                                             int records) {
  orchestrator::OrchestratorOptions options;
  options.bind = bind;
  options.spawn = !bind;
  if (options.spawn) options.program = own_program();
  options.threads = arguments.threads;
  options.concurrency = std::min(arguments.concurrency, records);
  options.samples = arguments.samples;
  arguments.start.apply(options);
  options.deadlines.record = std::chrono::seconds(arguments.record_deadline_s);
  if (!arguments.quiet) options.log = [](const std::string& text) { std::cerr << cat("kvmesh: ", text, '\n'); };
  return options;
}

/// A record that no prompt can be made of is found before anything is started for it.
void check_records(const Topology& topology, const std::vector<json>& records) {
  for (const json& record : records) {
    orchestrator::make_tasks(topology, record, /*index=*/0, /*request=*/"", /*calibrate=*/false, {});
  }
}

void say_how_to_join(const Topology& topology, const bus::Endpoint& endpoint) {
  std::string lines = cat("kvmesh: waiting for agents at ", endpoint.string(), "; start each with\n");
  for (const orchestrator::AgentSpec& agent : topology.agents) {
    lines += cat("  kvmesh agent ", agent.name, " --connect ", endpoint.string(), '\n');
  }
  std::cerr << lines;
}

}  // namespace

int run_mesh(const RunArguments& arguments, const std::optional<bus::Endpoint>& bind) {
  const Topology topology = orchestrator::load_topology(arguments.topology);
  const std::vector<json> records = orchestrator::read_records(arguments.input);
  check_records(topology, records);
  // Agents that somebody starts by hand may have their models on other hosts; they tell the orchestrator.
  if (!bind) {
    check_models(topology);
    check_lengths(topology, records);
  }
  orchestrator::Orchestrator mesh(topology, options_of(arguments, bind, static_cast<int>(records.size())));
  if (bind) say_how_to_join(topology, mesh.endpoint());
  mesh.start();
  bool any_failed = false;
  mesh.run_all(records, [&](const RecordOutcome& outcome) {
    any_failed = any_failed || outcome.error;
    if (arguments.json) {
      print_json(outcome);
    } else {
      print_readable(topology, outcome);
    }
  });
  mesh.stop();
  return any_failed ? kExitRecordFailed : kExitOk;
}

void add_run_options(CLI::App& command, RunArguments& arguments) {
  const auto seconds = CLI::Range(1, 7 * 24 * 3600);
  command.add_option("topology", arguments.topology, "The topology, a YAML file (docs/topology.md)")->required();
  command.add_option("--input", arguments.input, "The records, JSON Lines: an object a line")->required();
  command.add_flag("--json", arguments.json, "One JSON object a record on standard output");
  command.add_option("--concurrency", arguments.concurrency, "Records on their way at the same time, at most")
      ->check(CLI::Range(1, static_cast<int>(bus::kMaxRequestsInFlight)))
      ->capture_default_str();
  command.add_option("--samples", arguments.samples, "Records of the calibration file to average scores over, at most")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      .add_option("--threads", arguments.threads,
                  "Compute threads an agent; 0: the cores over those that begin together")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  add_start_options(command, arguments.start);
  command.add_option("--record-deadline", arguments.record_deadline_s, "Seconds for one record")
      ->check(seconds)
      ->capture_default_str();
  command.add_flag("--quiet", arguments.quiet, "No progress on standard error");
}

void add_run_command(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = app.add_subcommand("run", "Start every agent of a topology and run records through it");
  add_run_options(*command, *arguments);
  command->callback([arguments, &action] { action = [arguments] { return run_mesh(*arguments, std::nullopt); }; });
}

}  // namespace kvmesh::cli

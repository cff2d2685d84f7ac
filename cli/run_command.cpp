#include "cli/run_command.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/complaints.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/length_check.hpp"
#include "cli/number_checks.hpp"
#include "cli/output.hpp"
#include "cli/preflight.hpp"
#include "cli/programs.hpp"
#include "cli/record_printer.hpp"
#include "orchestrator/orchestrator.hpp"
#include "orchestrator/records.hpp"
#include "orchestrator/tasks.hpp"
#include "orchestrator/topology_check.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::cli {
namespace {

using orchestrator::RecordOutcome;
using orchestrator::Topology;

/// What is wrong with single records, each looked at once.
class RecordChecks {
 public:
  /// `models_here`: the agents' models are on this host, and so lengths can be counted.
  RecordChecks(const Topology& topology, const orchestrator::Records& records, bool models_here)
      : topology_(topology), records_(records) {
    if (models_here) lengths_.emplace(topology);
  }

  /// "FILE:LINE: why the record cannot be run"; none: it can.
  const std::optional<std::string>& problem(std::size_t index) {
    const auto [place, is_new] = problems_.try_emplace(index);
    if (!is_new) return place->second;
    std::optional<std::string> problem = orchestrator::record_problem(topology_, records_.all[index]);
    if (!problem && lengths_) problem = lengths_->problem(records_.all[index]);
    if (problem) place->second = cat(records_.place(index), ": ", *problem);
    return place->second;
  }

  bool all_are_wrong() {
    for (std::size_t i = 0; i < records_.all.size(); ++i)
      if (!problem(i)) return false;
    return true;
  }

  void refuse_all_where_one_is_wrong() {
    Complaints complaints;
    for (std::size_t i = 0; i < records_.all.size(); ++i)
      if (problem(i)) complaints.add(*problem(i));
    orchestrator::throw_problems(complaints.texts());
  }

 private:
  const Topology& topology_;
  const orchestrator::Records& records_;
  std::optional<LengthCheck> lengths_;
  std::map<std::size_t, std::optional<std::string>> problems_;
};

orchestrator::OrchestratorOptions options_of(const RunArguments& arguments, const std::optional<bus::Endpoint>& bind,
                                             std::size_t records) {
  orchestrator::OrchestratorOptions options;
  options.bind = bind;
  options.spawn = !bind;
  if (options.spawn) options.program = host_program();
  options.threads = arguments.threads;
  options.concurrency = static_cast<int>(std::min(static_cast<std::size_t>(arguments.concurrency), records));
  options.samples = arguments.samples.value_or(1);
  arguments.start.apply(options);
  options.deadlines.record = std::chrono::seconds(arguments.record_deadline_s);
  if (!arguments.quiet)
    options.log = [](const std::string& text) { std::cerr << printable(cat("kvmesh: ", text, '\n')); };
  return options;
}

void say_how_to_join(const Topology& topology, const bus::Endpoint& endpoint) {
  std::string lines = cat("kvmesh: waiting for agents at ", endpoint.string(), "; start each with\n");
  for (const orchestrator::AgentSpec& agent : topology.agents) {
    lines += cat("  kvmesh agent ", agent.name, " --connect ", endpoint.string(), '\n');
  }
  std::cerr << lines;
}

/// Prints outcomes as they come, and remembers whether one failed.
class Report {
 public:
  Report(const RunArguments& arguments, const Topology& topology, std::ostream& out)
      : json_(arguments.json), topology_(topology), out_(out) {}

  void add(const RecordOutcome& outcome) {
    failed_ = failed_ || outcome.error;
    // Outcomes that waited for an earlier one are reported while the failure of an earlier write is on its way up.
    if (out_.bad()) return;
    if (json_) print_json(outcome, out_);
    else print_readable(topology_, outcome, out_);
  }
  int status() const { return failed_ ? kExitRecordFailed : kExitOk; }

 private:
  const bool json_;
  const Topology& topology_;
  std::ostream& out_;
  bool failed_ = false;
};

}  // namespace

int run_mesh(const RunArguments& arguments, const std::optional<bus::Endpoint>& bind, std::ostream& out) {
  // Agents that somebody starts by hand may have their models on other hosts; they tell the orchestrator.
  const Topology topology = bind ? orchestrator::load_topology(arguments.topology) : load_checked(arguments.topology);
  if (arguments.samples && !topology.calibration)
    fail_input("--samples: ", arguments.topology.string(),
               " names no calibration: file whose records scores could be averaged over; leave --samples out");
  const orchestrator::Records records = orchestrator::read_records(arguments.input);
  RecordChecks checks(topology, records, /*models_here=*/!bind);
  if (arguments.strict) checks.refuse_all_where_one_is_wrong();
  Report report(arguments, topology, out);
  if (checks.all_are_wrong()) {
    for (std::size_t i = 0; i < records.all.size(); ++i)
      report.add({.id = records.all[i]["id"], .error = checks.problem(i)});
    return report.status();
  }
  orchestrator::Orchestrator mesh(topology, options_of(arguments, bind, records.all.size()));
  if (bind) say_how_to_join(topology, mesh.endpoint());
  mesh.start();
  mesh.run_all(
      records.all, [&](const RecordOutcome& outcome) { report.add(outcome); },
      [&](std::size_t index) { return checks.problem(index); });
  mesh.stop();
  return report.status();
}

void add_run_options(Command command, RunArguments& arguments) {
  const auto seconds = whole_number(1, 7 * 24 * 3600);
  command.option("topology", arguments.topology, "The topology, a YAML file (docs/topology.md)").required();
  command.option("--input", arguments.input, "The records, JSON Lines: one object per line").required();
  command.flag("--json", arguments.json, "Print one JSON object per record");
  command.flag("--strict", arguments.strict,
               "Start nothing if one record cannot be run; without it, that record alone fails");
  command.option("--concurrency", arguments.concurrency, "How many records may be on their way at the same time")
      .check(whole_number(1, static_cast<std::int64_t>(bus::kMaxRequestsInFlight)))
      .show_default();
  command
      .option("--samples", arguments.samples,
              "How many records of the topology's calibration file scores are averaged over; default: 1")
      .check(whole_number(1, 1'000'000));
  command.option("--threads", arguments.threads, kThreadsHelp).check(thread_count()).show_default();
  add_start_options(command, arguments.start);
  command.option("--record-deadline", arguments.record_deadline_s, "Seconds that one record may take")
      .check(seconds)
      .show_default();
  command.flag("--quiet", arguments.quiet, "Print no progress");
}

void add_run_command(Command app) {
  auto arguments = std::make_shared<RunArguments>();
  Command command = app.subcommand("run", "Start every agent of a topology and run records through it");
  add_run_options(command, *arguments);
  command.runs([arguments](std::ostream& out) { return run_mesh(*arguments, std::nullopt, out); });
}

}  // namespace kvmesh::cli

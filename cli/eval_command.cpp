#include <algorithm>
#include <iostream>
#include <optional>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/evaluation/context_fitter.hpp"
#include "cli/evaluation/evaluation.hpp"
#include "cli/evaluation/plots.hpp"
#include "cli/evaluation/report.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/number_checks.hpp"
#include "cli/output.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "llm/model/config.hpp"
#include "orchestrator/model_path.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  Comparison comparison;
  std::filesystem::path data;
  std::string methods = "baseline,skyline,kv:0.3,kv:0.5,kv:0.7,random:0.3,contiguous:0.3,nld,cipher,ac:replace";
  std::string instruction = kInstruction;
  std::size_t limit = 0;
  EvaluationOptions options;
  bool json = false, csv = false, curve = false;
  std::string plot, curve_plot, emit;
};

/// `--curve` adds a method for each number of layers that can be chosen.
std::vector<std::string> curve_methods(const Arguments& arguments) {
  std::vector<std::string> names;
  if (!arguments.curve) return names;
  const std::int64_t layers = llm::read_config(arguments.comparison.receiver).num_hidden_layers;
  for (std::int64_t n = 1; n <= layers; ++n) names.push_back(cat("top:", n));
  return names;
}

std::vector<Method> methods_of(const Arguments& arguments, const std::vector<std::string>& curve) {
  std::vector<Method> methods = parse_methods(arguments.methods);
  for (const std::string& name : curve) {
    const bool named = std::any_of(methods.begin(), methods.end(), [&](const Method& m) { return m.name == name; });
    if (!named) methods.push_back(parse_method(name));
  }
  return methods;
}

void say(const std::string& text) { std::cerr << "kvmesh: " << printable(text) << '\n'; }

/// What a reader of the table has to know about the data.
void say_what_was_done(const std::vector<DatasetGroup>& groups, std::size_t shortened) {
  for (const DatasetGroup& group : groups)
    if (group.calibration_from_items)
      say(cat("no calibration.jsonl for items with ", group.contexts, " context(s): the first record of each task, ",
              group.calibration.size(), " in all, calibrates and is not scored"));
  if (shortened > 0) say(cat(shortened, " item(s) were too long for the models and lost the middle of their context"));
}

MethodResult run_method(Evaluation& evaluation, const Method& method) {
  Progress progress(method.name, evaluation.items());
  double right = 0, done = 0;
  return evaluation.run(method, [&](const ItemResult& item) {
    right += item.score.exact_match;
    progress.advance(fixed(100 * right / ++done, 1) + "% right");
  });
}

void say_failures(const MethodResult& result) {
  for (const ItemResult& item : result.items) {
    if (item.error.empty()) continue;
    say(cat(result.method, ": item ", item.id, " failed: ", item.error));
    return;  // the first says why; the table says how many
  }
}

/// What is written when all is done, tried before anything runs.
struct Drawings {
  explicit Drawings(const Arguments& arguments) {
    if (!arguments.plot.empty()) plot.emplace("--plot", arguments.plot);
    if (!arguments.curve_plot.empty()) curve.emplace("--curve", arguments.curve_plot);
  }
  std::optional<OutputFile> plot, curve;
};

void draw(Drawings& drawings, const std::vector<SummaryRow>& rows, const std::vector<std::string>& curve) {
  if (drawings.plot) drawings.plot->write(score_plot(rows, curve));
  if (!drawings.curve) return;
  std::vector<SummaryRow> chosen;  // the curve, and what bounds it
  for (const SummaryRow& row : rows)
    if (row.bytes == 0 || std::find(curve.begin(), curve.end(), row.method) != curve.end()) chosen.push_back(row);
  drawings.curve->write(score_plot(chosen, curve));
}

void resolve_models(Comparison& comparison) {
  for (std::filesystem::path& sender : comparison.senders) sender = orchestrator::resolve_model(sender.string());
  comparison.receiver = orchestrator::resolve_model(comparison.receiver.string());
}

int evaluate(const Arguments& arguments, std::ostream& out) {
  if (arguments.curve && arguments.curve_plot.empty() && arguments.plot.empty())
    fail_input("--curve needs a file to draw into; write --curve FILE.svg");
  const std::vector<std::string> curve = curve_methods(arguments);
  const std::vector<Method> methods = methods_of(arguments, curve);
  std::vector<DatasetGroup> groups = read_dataset(arguments.data, {.limit = arguments.limit,
                                                                   .instruction = arguments.instruction,
                                                                   .senders = arguments.comparison.senders.size()});
  // A method that does not fit the models is refused before any has run, and before files are tokenised.
  const Evaluation early(arguments.comparison, groups, arguments.options);
  early.check(methods.front(), Look::kHeaders);  // all methods run the same models
  for (const Method& method : methods) early.check(method, Look::kFit);
  say_what_was_done(groups, fit_contexts(groups, arguments.comparison));

  EvaluationOptions options = arguments.options;
  options.log = say;
  Drawings drawings(arguments);
  if (!arguments.emit.empty()) prepare_folder("--emit", arguments.emit);
  Evaluation evaluation(arguments.comparison, std::move(groups), options);
  std::vector<MethodResult> results;
  for (const Method& method : methods) {
    results.push_back(run_method(evaluation, method));
    say_failures(results.back());
    if (!arguments.emit.empty()) evaluation.emit(method, results.back(), arguments.emit);
  }
  const std::vector<SummaryRow> rows = summarise(results);
  for (const std::string& why : why_not_carried(results, rows)) say(why);
  if (arguments.json) print_json(rows, out);
  else if (arguments.csv) print_csv(rows, out);
  else print_tables(rows, out);
  draw(drawings, rows, curve);
  const bool failed = std::any_of(rows.begin(), rows.end(), [](const SummaryRow& row) { return row.failed > 0; });
  return failed ? kExitRecordFailed : kExitOk;
}

void add_what(Command command, Arguments& a) {
  command
      .option("--sender", a.comparison.senders, "The sender's model (docs/cli.md); give it once, or once per context")
      .required()
      .one_at_a_time();
  command.option("--receiver", a.comparison.receiver, "The receiver's model (docs/cli.md)").required();
  command.option("--data", a.data, "A .jsonl file, or a folder of them (docs/cli.md)").required();
  command.option("--methods", a.methods, "Methods, separated by commas (docs/cli.md)").show_default();
  command.option("--limit", a.limit, "How many items of each task to score; 0: all")
      .check(whole_number(0))
      .show_default();
  command
      .option("--samples", a.options.samples,
              "How many calibration records to average over; 0: one of calibration.jsonl, or the first of each task")
      .check(whole_number(0))
      .show_default();
}

void add_prompts(Command command, Arguments& a) {
  command.option("--max-tokens", a.comparison.max_tokens, "How many tokens an answer may have")
      .check(whole_number(1))
      .show_default();
  command.option("--instruction", a.instruction, "The instruction of items that have none").show_default();
  Prompts& prompts = a.comparison.prompts;
  command.option("--sender-prompt", prompts.sender, "What a sender reads").show_default();
  command.option("--aware-prompt", prompts.aware, "What a sender reads with nld:aware").show_default();
  command.option("--receiver-prompt", prompts.receiver, "What the receiver reads").show_default();
  command.option("--skyline-prompt", prompts.skyline, "What the one model of skyline reads").show_default();
  command.option("--revise-prompt", prompts.revise, "What the receiver of nld and cipher reads at the end")
      .show_default();
}

void add_how(Command command, Arguments& a) {
  command.flag("--in-process", a.options.in_process, "Run the agents as threads of this process");
  command.option("--dtype", a.comparison.dtype, "What to compute in: auto is what the weights are stored in")
      .check(one_of({"auto", "fp32", "bf16", "fp16"}))
      .show_default();
  command.option("--device", a.comparison.device, "Where to compute: cpu or cuda:N").show_default();
  command.option("--threads", a.options.threads, kThreadsHelp).check(thread_count()).show_default();
  add_start_options(command, a.options.start);
  const Option json = command.flag("--json", a.json, "Print one JSON object per method and task");
  command.flag("--csv", a.csv, "Print one line of CSV per method and task").excludes(json);
  command.option("--plot", a.plot, "Draw score against bytes into this SVG file");
  command
      .option(
          "--curve",
          [&a](const std::string& file) {
            a.curve = true;
            a.curve_plot = file;
          },
          "Also run the best 1, 2, ... all layers, and draw them into this SVG file; default: that of --plot")
      .value_optional();
  command.option("--emit", a.emit, "Write each method's topology, input and answers into this folder");
}

}  // namespace

void add_eval_command(Command app) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("eval", summary_of("eval"));
  add_what(command, *arguments);
  add_prompts(command, *arguments);
  add_how(command, *arguments);
  command.runs([arguments](std::ostream& out) {
    resolve_models(arguments->comparison);
    return evaluate(*arguments, out);
  });
}

}  // namespace kvmesh::cli

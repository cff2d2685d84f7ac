#include <algorithm>
#include <map>
#include <ostream>
#include <utility>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/evaluation/context_fitter.hpp"
#include "cli/evaluation/evaluation.hpp"
#include "cli/evaluation/summary.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/number_checks.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/start_options.hpp"
#include "cli/table.hpp"
#include "orchestrator/model_path.hpp"

namespace kvmesh::cli {
namespace {

/// Calibration records, six to choose layers on and two to check.
constexpr int kSamples = 8;

struct Arguments {
  std::string sender = "models/reader", receiver = "models/solver", data = "models/data";
  std::string questions = "examples/quickstart/questions.jsonl";
  std::size_t limit = 20;
  double ratio = 0.3;
  StartOptions start;
};

/// In the order of the table: from nothing to everything.
struct Shown {
  std::string alone = "baseline", random, shared, all = "skyline";
  explicit Shown(double ratio) : random(cat("random:", ratio)), shared(cat("kv:", ratio)) {}
};

MethodResult run_method(Evaluation& evaluation, const std::string& method) {
  Progress progress(method, evaluation.items());
  double right = 0, done = 0;
  return evaluation.run(parse_method(method), [&](const ItemResult& item) {
    right += item.score.exact_match;
    progress.advance(fixed(100 * right / ++done, 1) + "% right");
  });
}

/// Texts longer than a few lines of a terminal lose their end.
std::string shortened(const std::string& text) {
  constexpr std::size_t kShown = 400;
  return text.size() <= kShown ? text : text.substr(0, text.rfind(' ', kShown)) + " ...";
}

/// Each question with what its reader reads and what the others say.
void print_answers(const std::vector<EvalItem>& items, const std::map<std::string, std::vector<ItemResult>>& results,
                   const Shown& shown, std::ostream& out) {
  const auto said = [&](const std::string& method, std::size_t i) {
    const ItemResult& item = results.at(method)[i];
    return printable(item.error.empty() ? trimmed(item.answer) : "failed: " + item.error);
  };
  for (std::size_t i = 0; i < items.size(); ++i) {
    const ItemResult& shared = results.at(shown.shared)[i];
    out << "\nreader reads             " << printable(shortened(items[i].record["context"].get<std::string>()))
        << "\nsolver is asked          " << printable(items[i].record["question"].get<std::string>())
        << "\n   right answer          " << printable(items[i].answers.front()) << "\n   solver alone          "
        << said(shown.alone, i) << "\n   with shared KV        " << said(shown.shared, i) << "   (layers "
        << shared.layers << ", " << human_bytes(static_cast<double>(shared.bytes))
        << " on the wire)\n   at random layers      " << said(shown.random, i) << "\n   one model reads all   "
        << said(shown.all, i) << '\n';
  }
}

/// One line a method: exact match for each task and over all, bytes and time for each item.
void print_summary(const std::vector<SummaryRow>& rows, std::ostream& out) {
  std::vector<std::string> head{"exact match, %"};
  for (const SummaryRow& row : rows)
    if (row.method == rows.front().method) head.push_back(row.task);
  for (const char* name : {"bytes/item", "layers", "ttft ms", "p95"}) head.emplace_back(name);
  Table table(head);
  std::vector<std::string> cells;
  for (const SummaryRow& row : rows) {
    if (cells.empty()) cells.push_back(row.method);
    cells.push_back(fixed(100 * row.exact_match.mean, 1));
    if (row.task != kAllTasks) continue;
    cells.push_back(human_bytes(row.bytes));
    cells.push_back(row.layers.empty() ? "-" : row.layers);
    cells.push_back(fixed(row.ttft_ms.median, 1));
    cells.push_back(fixed(row.ttft_ms.p95, 1));
    table.add(std::exchange(cells, {}));
  }
  table.print(out);
}

std::vector<std::string> methods_of(const Shown& shown, double ratio) {
  std::vector<std::string> methods{shown.alone, shown.random, shown.shared};
  if (ratio < 0.5) methods.emplace_back("kv:0.5");
  methods.push_back(shown.all);
  return methods;
}

int demo(const Arguments& arguments, std::ostream& out) {
  const std::vector<EvalItem> asked = read_items(arguments.questions, kInstruction);
  std::vector<DatasetGroup> groups =
      read_dataset(arguments.data, {.limit = arguments.limit, .instruction = kInstruction});
  // Questions and test items go through one mesh a method, so that its processes start once.
  DatasetGroup& first = groups.front();
  for (const EvalItem& item : asked)
    if (item.contexts != first.contexts)
      fail_input(arguments.questions, ": ", item.id, " has ", item.contexts, " context(s), the items of ",
                 arguments.data, " have ", first.contexts);
  first.items.insert(first.items.begin(), asked.begin(), asked.end());
  Comparison comparison{.senders = {orchestrator::resolve_model(arguments.sender)},
                        .receiver = orchestrator::resolve_model(arguments.receiver),
                        .max_tokens = 16};
  fit_contexts(groups, comparison);
  Evaluation evaluation(comparison, std::move(groups), {.samples = kSamples, .start = arguments.start});

  out << "A reader process reads the context; a solver process gets the question and, over the bus, the reader's\n"
         "keys and values of a few layers. It never sees the context's text.\n";
  const Shown shown(arguments.ratio);
  std::map<std::string, std::vector<ItemResult>> answers;
  std::vector<MethodResult> scored;
  for (const std::string& method : methods_of(shown, arguments.ratio)) {
    MethodResult result = run_method(evaluation, method);
    const auto middle = result.items.begin() + static_cast<std::ptrdiff_t>(asked.size());
    answers[method] = {result.items.begin(), middle};
    scored.push_back({method, {middle, result.items.end()}});
  }
  print_answers(asked, answers, shown, out);
  out << '\n' << scored.front().items.size() << " items of " << arguments.data << "\n\n";
  const std::vector<SummaryRow> rows = summarise(scored);
  print_summary(rows, out);
  const bool failed = std::any_of(rows.begin(), rows.end(), [](const SummaryRow& row) { return row.failed > 0; });
  return failed ? kExitRecordFailed : kExitOk;
}

}  // namespace

void add_demo_command(Command app) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("demo", summary_of("demo"));
  command.option("--sender", arguments->sender, "The reader's model (docs/cli.md)").show_default();
  command.option("--receiver", arguments->receiver, "The solver's model (docs/cli.md)").show_default();
  command.option("--questions", arguments->questions, "The questions to show, JSON Lines").show_default();
  command.option("--data", arguments->data, "Folder with test files and calibration.jsonl").show_default();
  command.option("--limit", arguments->limit, "How many items of each task to score; 0: all")
      .check(whole_number(0))
      .show_default();
  command.option("--ratio", arguments->ratio, "The share of the layers that travels")
      .check(number(0, 1))
      .show_default();
  add_start_options(command, arguments->start);
  command.runs([arguments](std::ostream& out) { return demo(*arguments, out); });
}

}  // namespace kvmesh::cli

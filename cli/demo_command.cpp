#include <algorithm>
#include <iostream>
#include <utility>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/evaluation/evaluation.hpp"
#include "cli/evaluation/summary.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::string model = "models/tiny", data = "models/tiny/data", questions = "examples/quickstart/questions.jsonl";
  std::size_t limit = 50;
  double ratio = 0.3;
};

MethodResult run_method(Evaluation& evaluation, const std::string& method) {
  Progress progress(method, evaluation.items());
  double right = 0, done = 0;
  return evaluation.run(parse_method(method), [&](const ItemResult& item) {
    right += item.score.exact_match;
    progress.advance(fixed(100 * right / ++done, 1) + "% right");
  });
}

/// Each question with what the three say to it.
void print_answers(const std::vector<EvalItem>& items, const std::vector<MethodResult>& results) {
  auto said = [](const ItemResult& item) { return item.error.empty() ? item.answer : "failed: " + item.error; };
  for (std::size_t i = 0; i < items.size(); ++i) {
    const ItemResult& shared = results[1].items[i];
    std::cout << "\nQ  " << items[i].record["question"].get<std::string>() << "\n   right answer            "
              << items[i].answers.front() << "\n   receiver alone          " << said(results[0].items[i])
              << "\n   through shared KV       " << said(shared) << "   (layers " << shared.layers << ", "
              << human_bytes(static_cast<double>(shared.bytes)) << " on the wire)"
              << "\n   one model reads it all  " << said(results[2].items[i]) << '\n';
  }
}

/// One line a method: exact match for each task and over all, bytes and time for each item.
void print_summary(const std::vector<SummaryRow>& rows) {
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
  table.print(std::cout);
}

int demo(const Arguments& arguments) {
  const std::vector<EvalItem> asked = read_items(arguments.questions, kInstruction);
  std::vector<DatasetGroup> groups =
      read_dataset(arguments.data, {.limit = arguments.limit, .instruction = kInstruction});
  // Questions and test items go through one mesh a method, so that its processes start once.
  std::vector<EvalItem>& items = groups.front().items;
  items.insert(items.begin(), asked.begin(), asked.end());
  Comparison comparison{.senders = {arguments.model}, .receiver = arguments.model, .max_tokens = 16};
  Evaluation evaluation(comparison, std::move(groups), {});

  std::cout
      << "A reader process reads the context; a solver process gets the question and, over the bus, the reader's\n"
         "keys and values of a few layers. It never sees the context's text.\n";
  std::vector<MethodResult> answers, scored;
  for (const std::string& method : {std::string("baseline"), cat("kv:", arguments.ratio), std::string("skyline")}) {
    MethodResult result = run_method(evaluation, method);
    const auto middle = result.items.begin() + static_cast<std::ptrdiff_t>(asked.size());
    answers.push_back({method, {result.items.begin(), middle}});
    scored.push_back({method, {middle, result.items.end()}});
  }
  print_answers(asked, answers);
  std::cout << '\n' << scored.front().items.size() << " items of " << arguments.data << "\n\n";
  const std::vector<SummaryRow> rows = summarise(scored);
  print_summary(rows);
  const bool failed = std::any_of(rows.begin(), rows.end(), [](const SummaryRow& row) { return row.failed > 0; });
  return failed ? kExitRecordFailed : kExitOk;
}

}  // namespace

void add_demo_command(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("demo", "ask the example questions, then score three methods on the test data");
  command->add_option("--model", arguments->model, "checkpoint folder of both agents")->capture_default_str();
  command->add_option("--questions", arguments->questions, "questions to show, JSON Lines")->capture_default_str();
  command->add_option("--data", arguments->data, "folder with test files and calibration.jsonl")->capture_default_str();
  command->add_option("--limit", arguments->limit, "items of each task; 0: all")->capture_default_str();
  command->add_option("--ratio", arguments->ratio, "share of the layers that travels")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->callback([&action, arguments] { action = [arguments] { return demo(*arguments); }; });
}

}  // namespace kvmesh::cli

#include <iostream>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/evaluation/evaluation.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::string model = "models/tiny", data = "models/tiny/data", questions = "examples/quickstart/questions.jsonl";
  std::size_t limit = 50;
  double ratio = 0.3;
};

MethodResult run_method(const std::string& method, const Comparison& comparison, const std::vector<EvalItem>& items) {
  Progress progress(method, items.size());
  double right = 0, done = 0;
  return evaluate(method, comparison, items, [&](const ItemResult& item) {
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

int demo(const Arguments& arguments) {
  const std::vector<EvalItem> asked = read_items(arguments.questions);
  const Dataset data = read_dataset(arguments.data, arguments.limit);
  Comparison comparison{.senders = {arguments.model},
                        .receiver = arguments.model,
                        .calibration = std::filesystem::path(arguments.data) / "calibration.jsonl",
                        .max_tokens = 16};
  const std::vector<std::string> methods = {"baseline", cat("kv:", arguments.ratio), "skyline"};

  // Questions and test items go through one mesh a method, so that its processes start once.
  std::vector<EvalItem> all = asked;
  all.insert(all.end(), data.items.begin(), data.items.end());
  std::cout << "A reader process reads the context; a solver process gets the question and, over the bus, the reader's\n"
               "keys and values of a few layers. It never sees the context's text.\n";
  std::vector<MethodResult> answers, scored;
  for (const std::string& method : methods) {
    MethodResult result = run_method(method, comparison, all);
    const auto middle = result.items.begin() + static_cast<std::ptrdiff_t>(asked.size());
    answers.push_back({method, {result.items.begin(), middle}});
    scored.push_back({method, {middle, result.items.end()}});
  }
  print_answers(asked, answers);
  std::cout << '\n' << data.items.size() << " items of " << arguments.data << ", calibrated on "
            << comparison.calibration.string() << " (one sample)\n\n";
  print_summary(scored, std::cout);
  for (const MethodResult& result : scored)
    for (const ItemResult& item : result.items)
      if (!item.error.empty()) return kExitRecordFailed;
  return kExitOk;
}

}  // namespace

void add_demo_command(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("demo", "ask the example questions, then score three methods on the test data");
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

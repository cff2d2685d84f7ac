#include "cli/evaluation/evaluation.hpp"

#include <algorithm>
#include <iostream>

#include "base/error.hpp"
#include "cli/table.hpp"
#include "orchestrator/orchestrator.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::cli {
namespace {

ItemResult result_of(const EvalItem& item, const orchestrator::RecordOutcome& outcome) {
  ItemResult result{.id = item.id, .task = item.task, .answer = outcome.output};
  for (const bus::EdgeReport& edge : outcome.edges) {
    result.bytes += edge.bytes;
    if (result.layers.empty()) result.layers = edge.layers;
  }
  result.ttft_ms = outcome.ttft_ms;
  result.receiver_ttft_ms = outcome.receiver_ttft_ms;
  result.error = outcome.error.value_or("");
  if (result.error.empty()) result.score = score_answer(outcome.output, item.answers);
  return result;
}

/// Task names in the order in which they come.
std::vector<std::string> tasks_of(const MethodResult& result) {
  std::vector<std::string> tasks;
  for (const ItemResult& item : result.items)
    if (std::find(tasks.begin(), tasks.end(), item.task) == tasks.end()) tasks.push_back(item.task);
  return tasks;
}

template <typename Value>
std::vector<double> values_of(const MethodResult& result, const std::string& task, Value value) {
  std::vector<double> values;
  for (const ItemResult& item : result.items)
    if (task.empty() || item.task == task) values.push_back(value(item));
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

std::string percent(const std::vector<double>& values) { return fixed(100 * mean_of(values), 1); }

}  // namespace

std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

MethodResult evaluate(const std::string& method, const Comparison& comparison, const std::vector<EvalItem>& items,
                      const std::function<void(const ItemResult&)>& on_item) {
  const auto topology = orchestrator::parse_topology(topology_of(method, comparison), cat("method ", method));
  orchestrator::Orchestrator mesh(topology, {.program = own_program()});
  mesh.start();
  MethodResult result{.method = method, .items = {}};
  for (std::size_t i = 0; i < items.size(); ++i) {
    result.items.push_back(result_of(items[i], mesh.run(items[i].record, i)));
    if (on_item) on_item(result.items.back());
  }
  mesh.stop();
  return result;
}

void print_summary(const std::vector<MethodResult>& results, std::ostream& out) {
  const std::vector<std::string> tasks = tasks_of(results.front());
  std::vector<std::string> head{"exact match, %"};
  head.insert(head.end(), tasks.begin(), tasks.end());
  for (const char* name : {"all", "bytes/item", "layers", "ttft ms", "p95"}) head.emplace_back(name);
  Table table(head);
  for (const MethodResult& result : results) {
    std::vector<std::string> row{result.method};
    auto exact = [](const ItemResult& item) { return item.score.exact_match; };
    for (const std::string& task : tasks) row.push_back(percent(values_of(result, task, exact)));
    const auto ttft = values_of(result, "", [](const ItemResult& item) { return item.ttft_ms; });
    row.push_back(percent(values_of(result, "", exact)));
    row.push_back(human_bytes(mean_of(
        values_of(result, "", [](const ItemResult& item) { return static_cast<double>(item.bytes); }))));
    row.push_back(result.items.front().layers.empty() ? "-" : result.items.front().layers);
    row.push_back(fixed(percentile(ttft, 50), 1));
    row.push_back(fixed(percentile(ttft, 95), 1));
    table.add(std::move(row));
  }
  table.print(out);
  for (const MethodResult& result : results)
    if (auto failed = std::count_if(result.items.begin(), result.items.end(),
                                    [](const ItemResult& item) { return !item.error.empty(); }))
      out << result.method << ": " << failed << " of " << result.items.size() << " items failed and count as wrong\n";
}

}  // namespace kvmesh::cli

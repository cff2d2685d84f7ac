#include "cli/evaluation/summary.hpp"

#include <algorithm>

namespace kvmesh::cli {
namespace {

using Items = std::vector<const ItemResult*>;

template <typename Value>
std::vector<double> values_of(const Items& items, Value value) {
  std::vector<double> values;
  for (const ItemResult* item : items) values.push_back(static_cast<double>(value(*item)));
  return values;
}

template <typename Value>
double mean_of(const Items& items, Value value) {
  double sum = 0;
  for (double one : values_of(items, value)) sum += one;
  return items.empty() ? 0 : sum / static_cast<double>(items.size());
}

template <typename Value>
Spread spread_of(const Items& items, Value value) {
  const std::vector<double> values = values_of(items, value);
  return {percentile(values, 50), percentile(values, 95)};
}

SummaryRow row_of(const std::string& method, const std::string& task, const Items& items) {
  SummaryRow row{.method = method, .task = task, .items = items.size()};
  Items done;
  for (const ItemResult* item : items)
    if (item->error.empty()) done.push_back(item);
  row.failed = items.size() - done.size();
  row.exact_match = bootstrap(values_of(items, [](const ItemResult& i) { return i.score.exact_match; }));
  row.f1 = bootstrap(values_of(items, [](const ItemResult& i) { return i.score.f1; }));
  row.f1_above_half = bootstrap(values_of(items, [](const ItemResult& i) { return i.score.f1_above_half; }));
  if (!done.empty()) row.layers = done.front()->layers;
  row.bytes = mean_of(done, [](const ItemResult& i) { return i.bytes; });
  row.prefill_tokens = mean_of(done, [](const ItemResult& i) { return i.prefill_tokens; });
  row.generated_tokens = mean_of(done, [](const ItemResult& i) { return i.generated_tokens; });
  row.flops = mean_of(done, [](const ItemResult& i) { return i.flops; });
  row.ttft_ms = spread_of(done, [](const ItemResult& i) { return i.ttft_ms; });
  row.receiver_ttft_ms = spread_of(done, [](const ItemResult& i) { return i.receiver_ttft_ms; });
  return row;
}

}  // namespace

std::vector<SummaryRow> summarise(const std::vector<MethodResult>& results) {
  std::vector<SummaryRow> rows;
  for (const MethodResult& result : results) {
    std::vector<std::string> tasks;
    for (const ItemResult& item : result.items)
      if (std::find(tasks.begin(), tasks.end(), item.task) == tasks.end()) tasks.push_back(item.task);
    for (const std::string& task : tasks) {
      Items items;
      for (const ItemResult& item : result.items)
        if (item.task == task) items.push_back(&item);
      rows.push_back(row_of(result.method, task, items));
    }
    Items all;
    for (const ItemResult& item : result.items) all.push_back(&item);
    rows.push_back(row_of(result.method, kAllTasks, all));
  }
  return rows;
}

}  // namespace kvmesh::cli

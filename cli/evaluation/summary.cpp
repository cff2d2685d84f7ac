#include "cli/evaluation/summary.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "cli/evaluation/carried.hpp"

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

std::optional<Interval> nats_of(const Items& items) {
  std::vector<double> nats;
  for (const ItemResult* item : items)
    if (item->answer_nats) nats.push_back(*item->answer_nats);
  if (nats.empty()) return std::nullopt;
  return bootstrap(nats);
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
  row.contains = bootstrap(values_of(items, [](const ItemResult& i) { return i.score.contains; }));
  row.answer_nats = nats_of(done);
  if (!done.empty()) row.layers = done.front()->layers;
  row.bytes = mean_of(done, [](const ItemResult& i) { return i.bytes; });
  row.prefill_tokens = mean_of(done, [](const ItemResult& i) { return i.prefill_tokens; });
  row.generated_tokens = mean_of(done, [](const ItemResult& i) { return i.generated_tokens; });
  row.flops = mean_of(done, [](const ItemResult& i) { return i.flops; });
  row.ttft_ms = spread_of(done, [](const ItemResult& i) { return i.ttft_ms; });
  row.receiver_ttft_ms = spread_of(done, [](const ItemResult& i) { return i.receiver_ttft_ms; });
  return row;
}

Items items_of(const MethodResult& result, const std::string& task) {
  Items items;
  for (const ItemResult& item : result.items)
    if (task == kAllTasks || item.task == task) items.push_back(&item);
  return items;
}

std::vector<std::string> tasks_of(const MethodResult& result) {
  std::vector<std::string> tasks;
  for (const ItemResult& item : result.items)
    if (std::find(tasks.begin(), tasks.end(), item.task) == tasks.end()) tasks.push_back(item.task);
  tasks.emplace_back(kAllTasks);
  return tasks;
}

}  // namespace

std::vector<SummaryRow> summarise(const std::vector<MethodResult>& results) {
  const MethodResult *baseline = find_method(results, "baseline"), *skyline = find_method(results, "skyline");
  std::vector<SummaryRow> rows;
  for (const MethodResult& result : results) {
    for (const std::string& task : tasks_of(result)) {
      const Items items = items_of(result, task);
      rows.push_back(row_of(result.method, task, items));
      if (baseline && skyline)
        rows.back().carried = carried(items, items_of(*baseline, task), items_of(*skyline, task));
    }
  }
  return rows;
}

std::vector<std::string> why_not_carried(const std::vector<MethodResult>& results,
                                         const std::vector<SummaryRow>& rows) {
  if (!find_method(results, "baseline") || !find_method(results, "skyline"))
    return {"carried is empty: it is measured between baseline and skyline; put both among --methods"};
  std::string tasks;
  for (const SummaryRow& row : rows)
    if (row.method == "skyline" && !row.carried) tasks += (tasks.empty() ? "" : ", ") + row.task;
  if (tasks.empty()) return {};
  return {cat("carried is empty for task ", tasks, ": there the skyline gains less than ", kLeastGain,
              " nats over the baseline, so there is nothing to carry")};
}

}  // namespace kvmesh::cli

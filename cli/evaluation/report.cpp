#include "cli/evaluation/report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/table.hpp"

namespace kvmesh::cli {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const SummaryRow& row) {
  const auto nats = [&](double Interval::*part) {
    return row.answer_nats ? ordered_json((*row.answer_nats).*part) : ordered_json(nullptr);
  };
  return {{"method", row.method},
          {"task", row.task},
          {"items", row.items},
          {"failed", row.failed},
          {"exact_match", row.exact_match.mean},
          {"exact_match_low", row.exact_match.low},
          {"exact_match_high", row.exact_match.high},
          {"f1", row.f1.mean},
          {"f1_low", row.f1.low},
          {"f1_high", row.f1.high},
          {"f1_above_half", row.f1_above_half.mean},
          {"f1_above_half_low", row.f1_above_half.low},
          {"f1_above_half_high", row.f1_above_half.high},
          {"contains", row.contains.mean},
          {"contains_low", row.contains.low},
          {"contains_high", row.contains.high},
          {"answer_nats", nats(&Interval::mean)},
          {"answer_nats_low", nats(&Interval::low)},
          {"answer_nats_high", nats(&Interval::high)},
          {"carried", row.carried ? ordered_json(*row.carried) : ordered_json(nullptr)},
          {"layers", row.layers},
          {"bytes", row.bytes},
          {"prefill_tokens", row.prefill_tokens},
          {"generated_tokens", row.generated_tokens},
          {"flops", row.flops},
          {"ttft_ms", row.ttft_ms.median},
          {"ttft_p95_ms", row.ttft_ms.p95},
          {"receiver_ttft_ms", row.receiver_ttft_ms.median},
          {"receiver_ttft_p95_ms", row.receiver_ttft_ms.p95}};
}

std::string percent(const Interval& score) {
  return fixed(100 * score.mean, 1) + " [" + fixed(100 * score.low, 1) + ", " + fixed(100 * score.high, 1) + "]";
}

std::string nats_text(const std::optional<Interval>& nats) {
  return nats ? fixed(nats->mean, 2) + " [" + fixed(nats->low, 2) + ", " + fixed(nats->high, 2) + "]" : "-";
}

std::vector<std::string> cells_of(const SummaryRow& row) {
  return {row.method,
          percent(row.exact_match),
          percent(row.f1),
          percent(row.f1_above_half),
          percent(row.contains),
          nats_text(row.answer_nats),
          row.carried ? fixed(*row.carried, 2) : "-",
          row.layers.empty() ? "-" : row.layers,
          human_bytes(row.bytes),
          fixed(row.prefill_tokens, 1),
          fixed(row.generated_tokens, 1),
          human_count(row.flops),
          fixed(row.ttft_ms.median, 1),
          fixed(row.ttft_ms.p95, 1),
          fixed(row.receiver_ttft_ms.median, 1),
          fixed(row.receiver_ttft_ms.p95, 1)};
}

std::string csv_cell(const ordered_json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  std::string text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 2)) text.insert(at, 1, '"');
  return '"' + text + '"';
}

}  // namespace

void print_tables(const std::vector<SummaryRow>& rows, std::ostream& out) {
  std::vector<std::string> tasks;
  for (const SummaryRow& row : rows)
    if (row.task != kAllTasks && std::find(tasks.begin(), tasks.end(), row.task) == tasks.end())
      tasks.push_back(row.task);
  tasks.emplace_back(kAllTasks);
  for (const std::string& task : tasks) {
    Table table({"method", "exact_match", "f1", "f1_above_half", "contains", "answer_nats", "carried", "layers",
                 "bytes", "prefill_tokens", "generated_tokens", "flops", "ttft_ms", "p95", "receiver_ttft_ms", "p95"});
    std::size_t items = 0;
    for (const SummaryRow& row : rows) {
      if (row.task != task) continue;
      items = row.items;
      table.add(cells_of(row));
    }
    out << "task " << task << ", " << items << " items\n\n";
    table.print(out);
    out << '\n';
  }
  for (const SummaryRow& row : rows)
    if (row.task == kAllTasks && row.failed > 0)
      out << row.method << ": " << row.failed << " of " << row.items << " items failed and count as wrong\n";
}

void print_json(const std::vector<SummaryRow>& rows, std::ostream& out) {
  for (const SummaryRow& row : rows)
    out << to_json(row).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void print_csv(const std::vector<SummaryRow>& rows, std::ostream& out) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ordered_json row = to_json(rows[i]);
    std::string head, line;
    for (const auto& [name, value] : row.items()) {
      head += (head.empty() ? "" : ",") + name;
      line += (line.empty() ? "" : ",") + csv_cell(value);
    }
    if (i == 0) out << head << '\n';
    out << line << '\n';
  }
}

}  // namespace kvmesh::cli

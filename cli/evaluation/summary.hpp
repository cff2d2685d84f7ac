#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/evaluation/item_result.hpp"

namespace kvmesh::cli {

/// Middle and tail of times in milliseconds.
struct Spread {
  double median = 0;
  double p95 = 0;
};

/// One method on one task: a row of every report. Costs are means over the items, times over those that did not fail.
struct SummaryRow {
  std::string method;
  std::string task;
  std::size_t items = 0;
  std::size_t failed = 0;  ///< they count as wrong
  Interval exact_match, f1, f1_above_half, contains;
  std::optional<Interval> answer_nats;  ///< over the items that have them; none: no item has
  std::optional<double> carried;        ///< see carried(); none too where baseline or skyline was not run
  std::string layers;                   ///< empty where no kv travelled
  double bytes = 0;
  double prefill_tokens = 0;
  double generated_tokens = 0;
  double flops = 0;
  Spread ttft_ms, receiver_ttft_ms;
};

/// The task that stands for all items together.
inline constexpr const char* kAllTasks = "all";

/// A row for each task, in the order in which they come, and one over all; method by method. All methods have the same
/// items in the same order.
std::vector<SummaryRow> summarise(const std::vector<MethodResult>& results);

/// Why `carried` is empty in rows, a sentence each, and what to do; none: it is not.
std::vector<std::string> why_not_carried(const std::vector<MethodResult>& results, const std::vector<SummaryRow>& rows);

}  // namespace kvmesh::cli

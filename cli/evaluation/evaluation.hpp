#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/evaluation/dataset.hpp"
#include "cli/evaluation/method.hpp"
#include "cli/evaluation/scoring.hpp"
#include "orchestrator/record_outcome.hpp"

namespace kvmesh::cli {

/// One item through one method.
struct ItemResult {
  std::string id;
  std::string task;
  std::string answer;
  AnswerScore score;  ///< all zeros where the item failed: a failure counts as wrong
  std::uint64_t bytes = 0;
  std::string layers;  ///< of the first kv edge: "2 of 8 + layer 0"
  double ttft_ms = 0;
  double receiver_ttft_ms = 0;
  std::string error;  ///< empty: none
};

struct MethodResult {
  std::string method;
  std::vector<ItemResult> items;
};

/// Runs `method` through a mesh of its own, every agent a process, over all items. `on_item` is told of each as it is
/// done. Throws Error where the mesh itself fails.
MethodResult evaluate(const std::string& method, const Comparison& comparison, const std::vector<EvalItem>& items,
                      const std::function<void(const ItemResult&)>& on_item);

/// One table of all methods: exact match for each task and over all, bytes and time to first token for each item.
void print_summary(const std::vector<MethodResult>& results, std::ostream& out);

/// This program, to start agents with.
std::filesystem::path own_program();

}  // namespace kvmesh::cli

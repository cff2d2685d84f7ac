#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/evaluation/scoring.hpp"

namespace kvmesh::cli {

/// One item through one method.
struct ItemResult {
  std::string id;
  std::string task;
  std::string answer;
  AnswerScore score;                  ///< all zeros where the item failed: a failure counts as wrong
  std::optional<double> answer_nats;  ///< of the best accepted answer; none where the item failed or has none
  std::uint64_t bytes = 0;
  std::string layers;                ///< of the first kv edge: "2 of 8 + layer 0"
  std::uint64_t prefill_tokens = 0;  ///< of all agents, as the next two
  std::uint64_t generated_tokens = 0;
  double flops = 0;
  double ttft_ms = 0;
  double receiver_ttft_ms = 0;
  std::string error;  ///< empty: none
};

struct MethodResult {
  std::string method;
  std::vector<ItemResult> items;  ///< of all groups, in their order
};

}  // namespace kvmesh::cli

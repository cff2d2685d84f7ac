#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "agents/receive/kv_arrivals.hpp"
#include "agents/turns/layer_search.hpp"
#include "agents/wiring.hpp"
#include "bus/control.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// What a calibrating turn knows at its end that a search of layers by loss needs.
struct SearchTurn {
  const llm::Model& model;
  const bus::Task& task;
  const std::vector<const InboundEdge*>& edges;  ///< the agent's kv edges, in declared order
  KvArrivals& kv;                                ///< all rows are there; own ones may stand behind them
  bool injected = false;                         ///< a state entered from outside, which trials cannot repeat
  at::Tensor prompt;                             ///< [tokens, hidden_size], embeddings
  std::vector<std::int64_t> right_answer;        ///< the cheapest spelling; empty: the record has no answer
  std::vector<std::int64_t> said;                ///< by this agent itself, everything being shared
};

/// Adds the turn's record to `samples`. With the last of them every edge that the task names is searched, and what is
/// found joins `scores`, an element for each edge, which has its attention. Throws Error{kFixInput} where there is
/// nothing to search by, with what to do.
void gather_or_search(const SearchTurn& turn, SearchSamples& samples, const SearchHooks& hooks,
                      std::vector<bus::EdgeScores>& scores);

}  // namespace kvmesh::agents

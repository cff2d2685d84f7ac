#pragma once

#include <cstdint>
#include <vector>

#include "llm/model/config.hpp"

namespace kvmesh::llm {

/// Floating-point operations of one forward pass, counted from shapes (docs/method.md): a multiply-add is two.
///   linear layers   2 * tokens * weights of q, k, v, o, gate, up, down, every layer
///   attention       4 * heads * head_dim * pairs, pairs = (query, visible row), every layer
///   logits          2 * logit_rows * hidden_size * vocab_size
/// Without logit rows the last layer is counted as it is computed: its keys and values alone (LogitRows::kNone).
/// `rows_before[l]`: rows that were in layer l's cache before these tokens; each token sees them, its predecessors
/// among `tokens` and itself.
double forward_flops(const ModelConfig& config, std::int64_t tokens, const std::vector<std::int64_t>& rows_before,
                     std::int64_t logit_rows);

}  // namespace kvmesh::llm

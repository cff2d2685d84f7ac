#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "llm/model/model.hpp"

namespace kvmesh::llm {

/// The sum over i of -log softmax(row i of `logits`)[ids[i]]: what it costs to say `ids`, in nats, where row i is what
/// the model expects at ids[i]. `logits`: fp32 [ids, vocab_size], any device; sums are in double. Throws
/// Error{kFixInput} for an id outside the rows, Error{kGiveUp} where a logit is not a number.
double nats_of(const at::Tensor& logits, std::span<const std::int64_t> ids);

/// A text that a model is to say, among several, and what it costs.
struct TargetNats {
  double nats = 0;
  std::size_t which = 0;  ///< number of the target
};

/// The target of the fewest nats behind what `cache` holds, teacher-forced: its first token is read from
/// `last_logits`, fp32 [1, vocab_size], what the prompt's prefill gave, the others from one forward pass over all its
/// tokens but the last. Of equal targets the first. `cache` holds the same rows afterwards; nobody else may use it
/// meanwhile. `targets`: at least one, none of them empty. Throws as nats_of(); an id outside the table is refused
/// before anything is computed.
TargetNats best_target(const Model& model, KvCache& cache, const at::Tensor& last_logits,
                       std::span<const std::vector<std::int64_t>> targets);

}  // namespace kvmesh::llm

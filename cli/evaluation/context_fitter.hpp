#pragma once

#include <cstddef>
#include <vector>

#include "cli/evaluation/dataset.hpp"
#include "cli/evaluation/method.hpp"

namespace kvmesh::cli {

/// Shortens contexts that are too long for the models, in their middle, as the paper does; every method then gets the
/// same text. Fitting means: each sender's prompt in its model's positions; all senders' prompts, the receiver's and
/// the answer in the receiver's; the skyline's prompt and the answer too. Returns how many items were shortened. Throws
/// Error{kFixInput} for a folder without a tokenizer.
std::size_t fit_contexts(std::vector<DatasetGroup>& groups, const Comparison& comparison);

}  // namespace kvmesh::cli

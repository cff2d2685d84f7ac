#pragma once

#include <cstdint>

#include "llm/kernels/tasks.hpp"

namespace kvmesh::llm::kernels {

/// Parts of a kernel's task on the OpenMP threads that libtorch computes with. No allocation.
/// Calls `body(context, part)` with [0, count) cut into at most `threads` runs of at least `least` each, whose
/// beginnings are multiples of `step`.
void share_ranges(int threads, std::int64_t count, std::int64_t least, std::int64_t step,
                  void (*body)(const void* context, Range part), const void* context);
/// Calls `body(context, item)` for each item, the last first: whoever is free takes the next.
void share_items(int threads, std::int64_t count, void (*body)(const void* context, std::int64_t item),
                 const void* context);

}  // namespace kvmesh::llm::kernels

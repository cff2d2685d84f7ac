#pragma once

#include <vector>

#include "llm/kernels/tasks.hpp"

namespace kvmesh::llm::kernels {

#ifdef __x86_64__
extern const InstructionSet kAvx512Bf16, kAvx512, kAvx2;
#endif
extern const InstructionSet kPortable;

/// Those that this processor can run, the fastest first; the portable one is always there.
std::vector<const InstructionSet*> runnable_sets();
/// The fastest of them, found once.
const InstructionSet& best_set();

}  // namespace kvmesh::llm::kernels

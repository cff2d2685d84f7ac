#pragma once

#include <vector>

#include "llm/kernels/tasks.hpp"

namespace kvmesh::llm::kernels {

/// kernels.cpp as compiled for each instruction set.
#ifdef __x86_64__
namespace avx512_bf16 {
extern const KernelSet kKernels;
}
namespace avx512 {
extern const KernelSet kKernels;
}
namespace avx2 {
extern const KernelSet kKernels;
}
#endif
namespace portable {
extern const KernelSet kKernels;
}

/// Those that this process may run (base/instruction_set.hpp), the fastest first; the portable one is always there.
std::vector<const KernelSet*> runnable_sets();
/// The fastest of them, found once.
const KernelSet& best_set();

}  // namespace kvmesh::llm::kernels

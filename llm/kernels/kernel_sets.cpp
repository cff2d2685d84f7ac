#include "llm/kernels/kernel_sets.hpp"

#include "base/kernel_sets.hpp"

namespace kvmesh::llm::kernels {

std::vector<const KernelSet*> runnable_sets() {
  return runnable<KernelSet>({
#ifdef __x86_64__
      &avx512_bf16::kKernels, &avx512::kKernels, &avx2::kKernels,
#endif
      &portable::kKernels});
}

const KernelSet& best_set() {
  static const KernelSet& best = *runnable_sets().front();
  return best;
}

}  // namespace kvmesh::llm::kernels

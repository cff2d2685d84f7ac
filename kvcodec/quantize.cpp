#include "kvcodec/quantize.hpp"

#include "base/kernel_sets.hpp"
#include "kvcodec/detail/quantize_kernels.hpp"

namespace kvmesh::kvcodec {

std::vector<const QuantKernels*> runnable_quant_kernels() {
  return runnable<QuantKernels>({
#ifdef __x86_64__
      &avx512::kKernels, &avx2::kKernels,
#endif
      &portable::kKernels});
}

const QuantKernels& quant_kernels() {
  static const QuantKernels& best = *runnable_quant_kernels().front();
  return best;
}

}  // namespace kvmesh::kvcodec

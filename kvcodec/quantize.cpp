#include "kvcodec/quantize.hpp"

#include "kvcodec/detail/quantize_kernels.hpp"

namespace kvmesh::kvcodec {

const QuantKernels& scalar_quant_kernels() { return detail::scalar_quant_kernels(); }

const QuantKernels& quant_kernels() {
#if defined(KVMESH_X86_KERNELS)
  static const QuantKernels& kBest = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
                                         ? detail::avx512_quant_kernels()
                                     : __builtin_cpu_supports("avx2") ? detail::avx2_quant_kernels()
                                                                      : detail::scalar_quant_kernels();
  return kBest;
#else
  return detail::scalar_quant_kernels();
#endif
}

}  // namespace kvmesh::kvcodec

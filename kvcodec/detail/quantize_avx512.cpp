#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kvcodec/detail/half.hpp"
#include "kvcodec/detail/quantize_kernels.hpp"

namespace kvmesh::kvcodec {
#define KVMESH_QUANT_NAMESPACE quant_avx512
#define KVMESH_QUANT_LANES 16
#include "kvcodec/detail/quantize_loops.inc"

const QuantKernels& detail::avx512_quant_kernels() {
  static constexpr QuantKernels kKernels = quant_avx512::kernels("avx512");
  return kKernels;
}

}  // namespace kvmesh::kvcodec

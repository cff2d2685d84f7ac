#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kvcodec/detail/half.hpp"
#include "kvcodec/detail/quantize_kernels.hpp"

namespace kvmesh::kvcodec {
#define KVMESH_QUANT_NAMESPACE quant_avx2
#define KVMESH_QUANT_LANES 8
#include "kvcodec/detail/quantize_loops.inc"

const QuantKernels& detail::avx2_quant_kernels() {
  static constexpr QuantKernels kKernels = quant_avx2::kernels("avx2");
  return kKernels;
}

}  // namespace kvmesh::kvcodec

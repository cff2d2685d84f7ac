#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kvcodec/detail/half.hpp"
#include "kvcodec/detail/quantize_kernels.hpp"

namespace kvmesh::kvcodec {
#define KVMESH_QUANT_NAMESPACE quant_scalar
#define KVMESH_QUANT_LANES 1
#include "kvcodec/detail/quantize_loops.inc"

const QuantKernels& detail::scalar_quant_kernels() {
  static constexpr QuantKernels kKernels = quant_scalar::kernels("scalar");
  return kKernels;
}

}  // namespace kvmesh::kvcodec

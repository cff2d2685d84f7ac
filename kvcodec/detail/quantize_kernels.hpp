#pragma once

#include "kvcodec/quantize.hpp"

/// One set of loops for each instruction set; only x86-64 builds have the last two.
namespace kvmesh::kvcodec::detail {

const QuantKernels& scalar_quant_kernels();
const QuantKernels& avx2_quant_kernels();
const QuantKernels& avx512_quant_kernels();

}  // namespace kvmesh::kvcodec::detail

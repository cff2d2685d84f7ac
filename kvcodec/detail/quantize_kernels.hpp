#pragma once

#include "kvcodec/quantize.hpp"

/// quantize_kernels.cpp as compiled for each instruction set.
namespace kvmesh::kvcodec {
#ifdef __x86_64__
namespace avx512 {
extern const QuantKernels kKernels;
}
namespace avx2 {
extern const QuantKernels kKernels;
}
#endif
namespace portable {
extern const QuantKernels kKernels;
}
}  // namespace kvmesh::kvcodec

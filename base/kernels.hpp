#pragma once

// For sources that are compiled once for each instruction set: kvmesh_kernels in cmake/KvmeshKernels.cmake writes, for
// each, a source that defines KVMESH_KERNELS as its name and includes the one with the loops. There,
//   KVMESH_KERNELS         is the name of the instruction set, and of the namespace that everything stands in
//   KVMESH_LANES           fp32 numbers of a vector
//   KVMESH_DOT_BF16        is defined where vdpbf16ps is there
//   KVMESH_DOT_INT8        is defined where vpdpbusd is there
//   KVMESH_BEGIN_KERNELS,  enclose the functions that may use the instruction set. Other headers are included before
//   KVMESH_END_KERNELS     them: a function that other sources share must be compiled for every processor.
//   KVMESH_INLINE          for the functions inside that must not become calls

#include "base/instruction_set.hpp"

#if defined(KVMESH_KERNELS_avx512_bf16)
#define KVMESH_INSTRUCTION_SET kAvx512Bf16
#define KVMESH_LANES 16
#define KVMESH_DOT_BF16
#define KVMESH_DOT_INT8
#define KVMESH_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni,fma,f16c"
#elif defined(KVMESH_KERNELS_avx512)
#define KVMESH_INSTRUCTION_SET kAvx512
#define KVMESH_LANES 16
#define KVMESH_TARGET "avx512f,avx512bw,avx512dq,avx512vl,fma,f16c"
#elif defined(KVMESH_KERNELS_avx2)
#define KVMESH_INSTRUCTION_SET kAvx2
#define KVMESH_LANES 8
#define KVMESH_TARGET "avx2,fma,f16c"
#elif defined(KVMESH_KERNELS_portable)
#define KVMESH_INSTRUCTION_SET kPortable
#define KVMESH_LANES 4
#endif

#define KVMESH_PRAGMA_OF(text) _Pragma(#text)
#define KVMESH_PRAGMA(text) KVMESH_PRAGMA_OF(text)
#ifndef KVMESH_TARGET
#define KVMESH_BEGIN_KERNELS
#define KVMESH_END_KERNELS
#elif defined(__clang__)
#define KVMESH_BEGIN_KERNELS \
  KVMESH_PRAGMA(clang attribute push(__attribute__((target(KVMESH_TARGET))), apply_to = function))
#define KVMESH_END_KERNELS KVMESH_PRAGMA(clang attribute pop)
#else
#define KVMESH_BEGIN_KERNELS KVMESH_PRAGMA(GCC push_options) KVMESH_PRAGMA(GCC target KVMESH_TARGET)
#define KVMESH_END_KERNELS KVMESH_PRAGMA(GCC pop_options)
#endif

#define KVMESH_INLINE __attribute__((always_inline)) inline

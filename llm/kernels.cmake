# The kernels: one source an instruction set, compiled for it function by function, so that the library runs on every
# processor. They know no ATen; parallel.cpp alone speaks OpenMP, with the runtime that libtorch computes with.
set(kernel_sets kernels/avx512_bf16.cpp kernels/avx512.cpp kernels/avx2.cpp kernels/portable.cpp)
set(KVMESH_KERNEL_SOURCES ${kernel_sets} kernels/instruction_sets.cpp kernels/parallel.cpp kernels/ops.cpp)
set_source_files_properties(${kernel_sets} kernels/instruction_sets.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
# GCC 12 takes its own AVX-512 headers' undefined values for ours (GCC bug 105593). Vectors stay inside one source, so
# how they would be passed between sources does not matter.
set_source_files_properties(${kernel_sets} PROPERTIES
  COMPILE_OPTIONS "-Wno-psabi;$<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized>")

set_source_files_properties(kernels/parallel.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS "${OpenMP_CXX_FLAGS}")

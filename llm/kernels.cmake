# kernels.cpp is added by kvmesh_kernels. The kernels know no ATen; parallel.cpp alone speaks OpenMP, with the runtime
# that libtorch computes with.
set(KVMESH_KERNEL_SOURCES kernels/kernel_sets.cpp kernels/linear.cpp kernels/ops.cpp
  kernels/parallel.cpp)
set_source_files_properties(kernels/kernel_sets.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
set_source_files_properties(kernels/parallel.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS "${OpenMP_CXX_FLAGS}")

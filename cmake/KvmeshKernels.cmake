# kvmesh_kernels(TARGET SOURCE [SETS sets...] [OPTIONS flags...])
# Compiles SOURCE, a path from the root of the tree, once for each instruction set that this architecture knows
# (base/kernels.hpp), function by function, so that the library runs on every processor. OPTIONS go with each.
include_guard()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(KVMESH_INSTRUCTION_SETS portable avx2 avx512 avx512_bf16)
else()
  set(KVMESH_INSTRUCTION_SETS portable)
endif()

function(kvmesh_kernels target source)
  cmake_parse_arguments(KERNELS "" "" "SETS;OPTIONS" ${ARGN})
  if(NOT KERNELS_SETS)
    set(KERNELS_SETS ${KVMESH_INSTRUCTION_SETS})
  endif()
  get_filename_component(name ${source} NAME_WE)
  foreach(set IN LISTS KERNELS_SETS)
    if(set IN_LIST KVMESH_INSTRUCTION_SETS)
      set(compiled ${CMAKE_CURRENT_BINARY_DIR}/${name}_${set}.cpp)
      file(CONFIGURE OUTPUT ${compiled} CONTENT
        "#define KVMESH_KERNELS ${set}\n#define KVMESH_KERNELS_${set}\n#include \"${source}\"\n")
      target_sources(${target} PRIVATE ${compiled})
      # GCC 12 takes its own AVX-512 headers' undefined values for ours (GCC bug 105593). Vectors stay inside one source,
      # so how they would be passed between sources does not matter.
      set_source_files_properties(${compiled} PROPERTIES SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS
        "-Wno-psabi;$<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized>;${KERNELS_OPTIONS}")
    endif()
  endforeach()
endfunction()

# Compiles through ccache where it is installed, unless the caller chose a launcher. What ccache must be told about
# precompiled headers (its manual, "Precompiled headers") travels with the launcher, so that no shell has to set it. Paths
# below the source folder are hashed relative to it: a second clone or worktree takes what the first one compiled.
include_guard()

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(KVMESH_CCACHE ccache)
  mark_as_advanced(KVMESH_CCACHE)
  if(KVMESH_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true
      ${KVMESH_CCACHE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      add_compile_options(-fpch-preprocess)
    endif()
  endif()
endif()

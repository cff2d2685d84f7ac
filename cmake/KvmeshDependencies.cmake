# What kvmesh stands on, each found once. Debian 12's package names are in scripts/packages.
include_guard()

find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)

# libtorch. Its CMake package adds flags and libraries that an inference host does not need; we take headers and the
# tensor libraries, and CUDA's where this libtorch has them.
find_package(Torch REQUIRED)
add_library(kvmesh_torch INTERFACE)
target_include_directories(kvmesh_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(kvmesh_torch INTERFACE ${TORCH_LIBRARIES})

if(KVMESH_MESH)
  find_package(Boost 1.81 REQUIRED)
  pkg_check_modules(zmq REQUIRED IMPORTED_TARGET libzmq)
  find_package(spdlog REQUIRED)
  find_package(yaml-cpp REQUIRED)
endif()
if(KVMESH_TESTS)
  find_package(Catch2 2.13 REQUIRED)
endif()

# What kvmesh stands on, each found once. Debian 12's package names are in scripts/packages. The installed package
# includes this file too, so that both see the same imported targets: kvmeshConfig.cmake sets KVMESH_MESH before.

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED QUIET IMPORTED_TARGET libxxhash)
pkg_check_modules(oniguruma REQUIRED QUIET IMPORTED_TARGET oniguruma)
pkg_check_modules(utf8proc REQUIRED QUIET IMPORTED_TARGET libutf8proc)

# libtorch, whose CMake package reports on Caffe2, protobuf and glog at length. An imported target: it is named, not
# exported, by the rooms that use it.
if(NOT TARGET kvmesh::torch)
  set(kvmesh_log_level ${CMAKE_MESSAGE_LOG_LEVEL})
  set(CMAKE_MESSAGE_LOG_LEVEL WARNING)
  find_package(Torch 1.13 REQUIRED)
  set(CMAKE_MESSAGE_LOG_LEVEL ${kvmesh_log_level})
  add_library(kvmesh::torch INTERFACE IMPORTED)
  target_include_directories(kvmesh::torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  # The wheels of PyTorch 2 export std::filesystem's functions, compiled by an older GCC: ours must be found first, or a
  # call ends at address 0.
  target_link_libraries(kvmesh::torch INTERFACE stdc++ ${TORCH_LIBRARIES})
endif()

if(KVMESH_MESH)
  find_package(Boost 1.74 REQUIRED)
  pkg_check_modules(zmq REQUIRED QUIET IMPORTED_TARGET libzmq)
  # libzmq.pc hands on the flags of libraries inside libzmq, which its headers do not need, and CMake reads them one way
  # in the first configure and another in the second: everything that includes zmq.hpp would be compiled again.
  set_target_properties(PkgConfig::zmq PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${zmq_INCLUDEDIR}" INTERFACE_COMPILE_OPTIONS "")
  find_package(spdlog REQUIRED)
  find_package(yaml-cpp REQUIRED)
endif()
if(KVMESH_TESTS)
  find_package(Catch2 QUIET)  # 2.13 or 3: a package of version 3 does not answer to a request for 2.13
  if(NOT Catch2_FOUND OR Catch2_VERSION VERSION_LESS 2.13)
    message(FATAL_ERROR "Catch2 2.13 or newer is needed for the tests: apt-get install catch2, or -DKVMESH_TESTS=OFF")
  endif()
endif()

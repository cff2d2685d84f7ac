# kvmesh_room(NAME SOURCES ... [PUBLIC targets...] [PRIVATE targets...] [TENSORS])
# A room: a static library kvmesh_NAME, known as kvmesh::NAME, whose headers are included from the root of the tree.
# TENSORS: the room uses ATen; it shares one precompiled ATen header with the other rooms that do.
include_guard()
include(GNUInstallDirs)

set_property(GLOBAL PROPERTY KVMESH_ROOMS "")

add_library(kvmesh_options INTERFACE)
target_compile_features(kvmesh_options INTERFACE cxx_std_20)
target_compile_options(kvmesh_options INTERFACE
  $<BUILD_INTERFACE:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers>
  # GCC 12 sees overlaps and overflows in std::string's own code (GCC bug 105651).
  $<BUILD_INTERFACE:$<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict;-Wno-stringop-overflow>>)

# Installed, a header is <kvmesh/bus/endpoint.hpp> to others and "bus/endpoint.hpp" to its neighbours.
function(kvmesh_room name)
  cmake_parse_arguments(ROOM "TENSORS" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(target kvmesh_${name})
  add_library(${target} STATIC ${ROOM_SOURCES})
  add_library(kvmesh::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/kvmesh>)
  target_link_libraries(${target} PUBLIC ${ROOM_PUBLIC} PRIVATE $<BUILD_INTERFACE:kvmesh_options> ${ROOM_PRIVATE})
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(ROOM_TENSORS)
    kvmesh_use_tensors(${target})
  endif()
  set_property(GLOBAL APPEND PROPERTY KVMESH_ROOMS ${target})
endfunction()

# Code that runs once a start, a record or a test: compiled for the compiler's time, not for the processor's. From GCC 13
# on a file takes a precompiled header only where both are optimised alike, and without the header costs more than this
# would save.
function(kvmesh_cold target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    return()
  endif()
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# ATen through one precompiled header: it costs ten seconds a file otherwise. GCC takes a precompiled header only where
# -fPIC is as it was when the header was made, so programs are compiled with it too, instead of their usual -fPIE.
function(kvmesh_use_tensors target)
  if(NOT TARGET kvmesh_tensors_pch)
    set(carrier ${PROJECT_BINARY_DIR}/tensors_pch.cpp)
    file(CONFIGURE OUTPUT ${carrier} CONTENT "// Carries the precompiled ATen header.\n")
    add_library(kvmesh_tensors_pch OBJECT ${carrier})
    set_target_properties(kvmesh_tensors_pch PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
    target_link_libraries(kvmesh_tensors_pch PRIVATE kvmesh_options kvmesh::torch nlohmann_json::nlohmann_json)
    target_precompile_headers(kvmesh_tensors_pch PRIVATE <ATen/ATen.h> <nlohmann/json.hpp>)
  endif()
  target_link_libraries(${target} PUBLIC kvmesh::torch)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  else()
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
  endif()
  target_precompile_headers(${target} REUSE_FROM kvmesh_tensors_pch)
endfunction()

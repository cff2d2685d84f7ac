# Run by the test with -P; see CMakeLists.txt for the variables.
cmake_minimum_required(VERSION 3.24)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "ended with ${status}: ${command}")
  endif()
endfunction()

set(prefix ${WORK_DIR}/prefix)
file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

file(GLOB_RECURSE installed RELATIVE ${prefix}/include ${prefix}/include/*)
if(NOT "kvmesh/base/error.hpp" IN_LIST installed)
  message(FATAL_ERROR "kvmesh/base/error.hpp was not installed")
endif()
list(FILTER installed INCLUDE REGEX "/detail/")
if(installed)
  message(FATAL_ERROR "private headers were installed: ${installed}")
endif()

run(${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B ${WORK_DIR}/build -G ${GENERATOR}
  -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
  -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DINCLUDE_DIR=${prefix}/include)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer)
if(MESH)
  run(${prefix}/bin/kvmesh --version)
  run(${prefix}/bin/kvmesh generate --help)  # by way of kvmesh-host
endif()

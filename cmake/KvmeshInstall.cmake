# Installs the rooms with their public headers as the CMake package kvmesh: find_package(kvmesh), then kvmesh::bus and
# the like. What stands in detail/ and in a room's own subfolders is not installed.
include_guard()
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(kvmesh_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kvmesh)

get_property(kvmesh_rooms GLOBAL PROPERTY KVMESH_ROOMS)
install(TARGETS ${kvmesh_rooms} EXPORT kvmeshTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT kvmeshTargets NAMESPACE kvmesh:: DESTINATION ${kvmesh_package_dir})

set(kvmesh_header_folders base kvcodec llm)
if(KVMESH_MESH)
  list(APPEND kvmesh_header_folders bus agents orchestrator)
endif()
foreach(folder ${kvmesh_header_folders})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kvmesh/${folder}
    FILES_MATCHING PATTERN "*.hpp"
    PATTERN "detail" EXCLUDE
    PATTERN "families" EXCLUDE
    PATTERN "jinja" EXCLUDE
    PATTERN "kernels" EXCLUDE
    PATTERN "tokenizer" EXCLUDE)
endforeach()

configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/kvmeshConfig.cmake.in ${PROJECT_BINARY_DIR}/kvmeshConfig.cmake
  INSTALL_DESTINATION ${kvmesh_package_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kvmeshConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES
    ${PROJECT_BINARY_DIR}/kvmeshConfig.cmake
    ${PROJECT_BINARY_DIR}/kvmeshConfigVersion.cmake
    ${CMAKE_CURRENT_LIST_DIR}/KvmeshDependencies.cmake
  DESTINATION ${kvmesh_package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

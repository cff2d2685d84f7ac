#include "cli/programs.hpp"

namespace kvmesh::cli {

std::filesystem::path host_program() {
  return (own_program().parent_path() / KVMESH_HOST_FROM_KVMESH).lexically_normal();
}

}  // namespace kvmesh::cli

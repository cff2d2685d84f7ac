#include "cli/programs.hpp"

namespace kvmesh::cli {

std::filesystem::path host_program() {
  return (own_program().parent_path() / KVMESH_HOST_FROM_KVMESH).lexically_normal();
}

std::filesystem::path beside_host(const std::string& name) { return host_program().replace_filename(name); }

}  // namespace kvmesh::cli

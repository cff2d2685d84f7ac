#include "tests/support/places.hpp"

namespace kvmesh::test {

// The only source that is compiled with absolute paths, so that clones in other folders share the rest through ccache.
std::filesystem::path source_dir() { return KVMESH_SOURCE_DIR; }
std::string program_path() { return KVMESH_PROGRAM; }

}  // namespace kvmesh::test

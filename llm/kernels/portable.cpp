#include "llm/kernels/instruction_sets.hpp"

#define KVMESH_TARGET
#define KVMESH_LANES 4
#include "llm/kernels/set.hpp"

namespace kvmesh::llm::kernels {
const InstructionSet kPortable = set_named("portable");
}  // namespace kvmesh::llm::kernels

#include "llm/kernels/instruction_sets.hpp"

#ifdef __x86_64__
#define KVMESH_TARGET __attribute__((target("avx2,fma")))
#define KVMESH_LANES 8
#include "llm/kernels/set.hpp"

namespace kvmesh::llm::kernels {
const InstructionSet kAvx2 = set_named("avx2");
}  // namespace kvmesh::llm::kernels
#endif

#include "llm/kernels/instruction_sets.hpp"

#ifdef __x86_64__
#define KVMESH_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define KVMESH_LANES 16
#include "llm/kernels/set.hpp"

namespace kvmesh::llm::kernels {
const InstructionSet kAvx512 = set_named("avx512");
}  // namespace kvmesh::llm::kernels
#endif

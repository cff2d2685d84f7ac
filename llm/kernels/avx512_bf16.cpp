#include "llm/kernels/instruction_sets.hpp"

#ifdef __x86_64__
#define KVMESH_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))
#define KVMESH_LANES 16
#define KVMESH_DOT_BF16
#include "llm/kernels/set.hpp"

namespace kvmesh::llm::kernels {
const InstructionSet kAvx512Bf16 = set_named("avx512_bf16");
}  // namespace kvmesh::llm::kernels
#endif

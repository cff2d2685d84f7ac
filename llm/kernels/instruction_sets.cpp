#include "llm/kernels/instruction_sets.hpp"

namespace kvmesh::llm::kernels {

std::vector<const InstructionSet*> runnable_sets() {
  std::vector<const InstructionSet*> sets;
#ifdef __x86_64__
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512bf16")) sets.push_back(&kAvx512Bf16);
  if (avx512) sets.push_back(&kAvx512);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(&kAvx2);
#endif
  sets.push_back(&kPortable);
  return sets;
}

const InstructionSet& best_set() {
  static const InstructionSet& best = *runnable_sets().front();
  return best;
}

}  // namespace kvmesh::llm::kernels

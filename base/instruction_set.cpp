#include "base/instruction_set.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/error.hpp"

namespace kvmesh {

std::string to_string(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPortable: return "portable";
    case InstructionSet::kAvx2: return "avx2";
    case InstructionSet::kAvx512: return "avx512";
    case InstructionSet::kAvx512Bf16: return "avx512_bf16";
  }
  return "";
}

InstructionSet processor_instruction_set() {
#ifdef __x86_64__
  __builtin_cpu_init();
  // Every processor with AVX2 converts fp16 too, and some compilers have no name to ask for that.
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return InstructionSet::kPortable;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return InstructionSet::kAvx2;
  // Every processor with products of bf16 has those of 8-bit numbers.
  const bool products = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  return products ? InstructionSet::kAvx512Bf16 : InstructionSet::kAvx512;
#else
  return InstructionSet::kPortable;
#endif
}

std::optional<InstructionSet> instruction_set_limit() {
  const char* value = std::getenv("KVMESH_ISA");
  if (value == nullptr) return std::nullopt;
  for (InstructionSet set : kInstructionSets)
    if (to_string(set) == value) return set;
  fail_input("KVMESH_ISA=\"", value, "\" names no instruction set; use portable, avx2, avx512 or avx512_bf16");
}

InstructionSet instruction_set() {
  static const InstructionSet least =
      std::min(instruction_set_limit().value_or(processor_instruction_set()), processor_instruction_set());
  return least;
}

}  // namespace kvmesh

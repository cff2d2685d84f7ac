#include "llm/runtime.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "base/instruction_set.hpp"

namespace kvmesh::llm {
namespace {

/// A variable that a library reads, and the library's own names for the instruction sets, in their order.
struct LibraryLimit {
  const char* variable;
  std::array<const char*, kInstructionSets.size()> names;
};

constexpr LibraryLimit kLibraryLimits[] = {
    {"ATEN_CPU_CAPABILITY", {"default", "avx2", "avx512", "avx512"}},
#ifdef __x86_64__
    {"ONEDNN_MAX_CPU_ISA", {"SSE41", "AVX2", "AVX512_CORE", "AVX512_CORE_BF16"}},
    {"DNNL_MAX_CPU_ISA", {"SSE41", "AVX2", "AVX512_CORE", "AVX512_CORE_BF16"}},
    {"OPENBLAS_CORETYPE", {"Prescott", "Haswell", "SkylakeX", "Cooperlake"}},
    {"MKL_ENABLE_INSTRUCTIONS", {"SSE4_2", "AVX2", "AVX512", "AVX512_E1"}},
#endif
};

/// True where a variable had to be changed.
bool limit_libraries(InstructionSet set) {
  bool changed = false;
  for (const LibraryLimit& limit : kLibraryLimits) {
    const char* name = limit.names[static_cast<std::size_t>(set)];
    const char* now = std::getenv(limit.variable);
    if (now != nullptr && std::strcmp(now, name) == 0) continue;
    ::setenv(limit.variable, name, /*overwrite=*/1);
    changed = true;
  }
  return changed;
}

}  // namespace

void prepare_process(char** argv) {
  // The lesser of limit and processor: OpenBLAS believes its variable even where the processor cannot run what it
  // names.
  if (instruction_set_limit() && limit_libraries(instruction_set())) {
    ::execv("/proc/self/exe", argv);
    throw Error(ErrorKind::kGiveUp, cat("KVMESH_ISA is set, and the program cannot be started again with what it asks "
                                        "of the libraries: ",
                                        std::strerror(errno)));
  }
  constexpr int kKeep = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kKeep);
  mallopt(M_TRIM_THRESHOLD, kKeep);
}

c10::ScalarType product_type(c10::ScalarType stored) {
  const bool bf16 = instruction_set() >= InstructionSet::kAvx512Bf16 && at::globalContext().hasMKLDNN();
  return stored == c10::ScalarType::BFloat16 && bf16 ? stored : c10::ScalarType::Float;
}

void set_compute_threads(int threads) {
  at::set_num_threads(threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace kvmesh::llm

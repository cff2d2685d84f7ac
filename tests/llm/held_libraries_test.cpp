// KVMESH_ISA and the libraries: what each of them says that it uses.

#include <ATen/Version.h>
#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "base/instruction_set.hpp"
#include "tests/support/environment.hpp"

using namespace kvmesh;

namespace {

constexpr const char* kName = "KVMESH_ISA holds the libraries that products are computed with by their own account";

/// A function of a library that is loaded, or null.
template <class Function>
Function* find_function(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

#ifdef __x86_64__
void check_libraries(InstructionSet set) {
  const char* libtorch[] = {"usage: NO AVX", "usage: AVX2", "usage: AVX512", "usage: AVX512"};
  const bool portable = set == InstructionSet::kPortable;  // which libtorch 2 calls DEFAULT
  CHECK_THAT(at::show_config(),
             Catch::Contains(libtorch[static_cast<int>(set)]) || Catch::Contains(portable ? "usage: DEFAULT" : "?"));
  auto* onednn = find_function<int()>("dnnl_get_effective_cpu_isa");
  auto* onednn_name = find_function<const char*(int)>("dnnl_cpu_isa2str");
  if (onednn && onednn_name) {
    const char* wanted[] = {"cpu_isa_sse41", "cpu_isa_avx2", "cpu_isa_avx512_core", "cpu_isa_avx512_core_bf16"};
    CHECK(std::string(onednn_name(onednn())) == wanted[static_cast<int>(set)]);
  }
  if (auto* openblas = find_function<char*()>("openblas_get_corename")) {
    const char* wanted[] = {"Prescott", "Haswell", "SkylakeX", "Cooperlake"};
    CHECK(std::string(openblas()) == wanted[static_cast<int>(set)]);
  }
}
#endif

}  // namespace

TEST_CASE("KVMESH_ISA holds the libraries that products are computed with by their own account") {
#ifdef __x86_64__
  if (instruction_set_limit()) return check_libraries(instruction_set());
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  for (InstructionSet set : kInstructionSets) {
    if (set > processor_instruction_set()) continue;
    const test::EnvironmentVariable isa("KVMESH_ISA", to_string(set));
    INFO(to_string(set));
    CHECK(std::system(cat("'", self, "' '", kName, "'").c_str()) == 0);
  }
#endif
}

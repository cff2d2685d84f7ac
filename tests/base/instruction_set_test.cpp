#include "base/instruction_set.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "tests/support/environment.hpp"

using namespace kvmesh;
using test::EnvironmentVariable;

TEST_CASE("KVMESH_ISA names the instruction set that nothing goes above") {
  for (InstructionSet set : kInstructionSets) {
    const EnvironmentVariable isa("KVMESH_ISA", to_string(set));
    CHECK(instruction_set_limit() == set);
  }
  const EnvironmentVariable isa("KVMESH_ISA", std::nullopt);
  CHECK(instruction_set_limit() == std::nullopt);
}

TEST_CASE("KVMESH_ISA with another value is an error that says which there are") {
  for (const char* value : {"avx3", "AVX2", "", "amx"}) {
    const EnvironmentVariable isa("KVMESH_ISA", value);
    try {
      instruction_set_limit();
      FAIL("nothing was thrown");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
      CHECK(error.what() ==
            cat("KVMESH_ISA=\"", value, "\" names no instruction set; use portable, avx2, avx512 or avx512_bf16"));
    }
  }
}

TEST_CASE("what is used is at most what the processor has and KVMESH_ISA allows") {
  CHECK(instruction_set() <= processor_instruction_set());
  if (const auto limit = instruction_set_limit()) CHECK(instruction_set() <= *limit);
}

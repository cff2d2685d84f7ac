#pragma once

#include <array>
#include <optional>
#include <string>

namespace kvmesh {

/// What kernels are compiled for, and what decides which type products are computed in; each holds all before it.
enum class InstructionSet {
  kPortable,    ///< what every processor of the build's architecture has; on arm64 there is nothing else
  kAvx2,        ///< AVX2, FMA, F16C: x86-64 of 2013 and later
  kAvx512,      ///< AVX-512 F, BW, DQ, VL
  kAvx512Bf16,  ///< and products of bf16 and of 8-bit numbers (VNNI)
};
inline constexpr std::array kInstructionSets{InstructionSet::kPortable, InstructionSet::kAvx2, InstructionSet::kAvx512,
                                             InstructionSet::kAvx512Bf16};

/// "portable", "avx2", "avx512", "avx512_bf16".
std::string to_string(InstructionSet set);

/// The greatest that this processor has.
InstructionSet processor_instruction_set();

/// What the environment variable KVMESH_ISA names: nothing above it is to be used. None where it is not set. Throws
/// Error{kFixInput} if it names no instruction set.
std::optional<InstructionSet> instruction_set_limit();

/// The lesser of the two; every choice between kernels asks here. Found once, safe from any thread; throws as
/// instruction_set_limit().
InstructionSet instruction_set();

}  // namespace kvmesh

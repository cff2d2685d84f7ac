#pragma once

// The table of one instruction set, from the bodies as they are compiled for it.

#include "llm/kernels/attention.hpp"
#include "llm/kernels/elementwise.hpp"
#include "llm/kernels/few_rows.hpp"

namespace kvmesh::llm::kernels {
namespace {

template <class T>
constexpr KernelsOf<T> kernels_of() {
  return {few_rows<T>, rms_norm<T>, rotate<T>, gate<T>, add<T>, widen<T>, attend<T>};
}

constexpr InstructionSet set_named(const char* name) { return {name, kernels_of<Bf16>(), kernels_of<float>()}; }

}  // namespace
}  // namespace kvmesh::llm::kernels

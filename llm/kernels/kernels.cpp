// The kernels of tasks.hpp, compiled once for each instruction set.

#include "llm/kernels/kernel_sets.hpp"

#include "llm/kernels/attention.hpp"
#include "llm/kernels/elementwise.hpp"
#include "llm/kernels/few_rows.hpp"
#include "llm/kernels/stored_rows.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::llm::kernels::KVMESH_KERNELS {

template <class T>
constexpr KernelsOf<T> kernels_of() {
  return {few_rows<T>, rms_norm<T>, rotate<T>, gate<T>, add<T>, widen<T>, narrow<T>, attend<T>};
}

constexpr KernelSet kKernels{InstructionSet::KVMESH_INSTRUCTION_SET,
                             kernels_of<Bf16>(),
                             kernels_of<Fp16>(),
                             kernels_of<float>(),
                             dequantise,
                             stored_rows,
                             round_activations};

}  // namespace kvmesh::llm::kernels::KVMESH_KERNELS
KVMESH_END_KERNELS

#pragma once

#include <c10/core/ScalarType.h>

namespace kvmesh::llm {

/// Settings that a process needs before it runs a model, called once at the start of main: glibc keeps large blocks
/// instead of handing them back to the kernel at every free, which cost libtorch half its time in page faults.
///
/// Where KVMESH_ISA is set, the libraries that products are computed with (libtorch, oneDNN, OpenBLAS, MKL) are held to
/// it as our kernels are. They read variables of their own when they are loaded, before main: so this sets those and
/// starts the program once more, in the same process, with the arguments `argv`. Throws Error{kFixInput} if KVMESH_ISA
/// names no instruction set.
void prepare_process(char** argv);

/// What the products of a prompt are computed in on this processor, where weights, activations and cache are `stored`:
/// bf16 where it multiplies bf16 (through oneDNN), else fp32. Libtorch's own products of bf16 are far slower than that,
/// and of fp16 it may have none.
c10::ScalarType product_type(c10::ScalarType stored);

/// Compute threads of this process; 0: as many as cores.
void set_compute_threads(int threads);

}  // namespace kvmesh::llm

#pragma once

namespace kvmesh::llm {

/// Settings that a process needs before it runs a model, called once at the start of main: glibc keeps large blocks
/// instead of handing them back to the kernel at every free, which cost libtorch half its time in page faults.
void prepare_process();

/// Compute threads of this process; 0: as many as cores.
void set_compute_threads(int threads);

}  // namespace kvmesh::llm

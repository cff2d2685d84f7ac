#include "llm/runtime.hpp"

#include <ATen/Parallel.h>
#include <malloc.h>

#include <thread>

namespace kvmesh::llm {

void prepare_process() {
  constexpr int kKeep = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kKeep);
  mallopt(M_TRIM_THRESHOLD, kKeep);
}

void set_compute_threads(int threads) {
  at::set_num_threads(threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace kvmesh::llm

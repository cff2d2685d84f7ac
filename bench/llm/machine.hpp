#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "llm/model/model.hpp"

namespace kvmesh::bench {

/// A run that reads `bytes` of memory once with `threads` threads, and only reads: 1 GiB that no cache holds, in large
/// pages. Of several ways to read (streams side by side, distance of the prefetch) the one that was fastest when this
/// was called.
struct MemoryReader {
  std::function<void()> run;
  double bytes = 0;
};
MemoryReader memory_reader(int threads);

/// A run of libtorch's linear over the projections of some layers of `model`, `tokens` rows each, in the type that this
/// processor multiplies fastest: what the machine can do at the model's own shapes.
struct LinearRun {
  std::function<void()> run;
  double flops = 0;
};
LinearRun linear_run(const llm::Model& model, std::int64_t tokens);

/// Bytes of weights that one token must read: all but the embedding table, of which it reads one row.
double weight_bytes(const llm::Model& model);

/// A model in Llama 3.2 1B's shape with a vocabulary of 32,000: 16 layers, width 2,048, FFN 8,192, 32 heads and 8 kv
/// heads of 64; random weights of one size, in bf16 2.2 GB. Fewer layers where they are asked for.
llm::Model synthetic_1b(at::ScalarType type, int layers = 16);

/// Whether the processor multiplies tiles of bf16 (AMX), which sets it apart from all others.
bool has_amx();

/// Forgets the process's peak memory; false: the kernel does not let it.
bool reset_peak_memory();
/// Bytes resident at most since reset_peak_memory(), and now.
double peak_memory();
double resident_memory();

}  // namespace kvmesh::bench

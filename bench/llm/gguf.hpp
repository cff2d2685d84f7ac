#pragma once

#include <filesystem>
#include <string>

#include "bench/row.hpp"

namespace kvmesh::bench {

/// A model in a GGUF file: prefill and decode beside llama.cpp with as many threads (`llama_cpp`: the folder where npm
/// has installed node-llama-cpp; where it is not there those rows have no reference), decode beside what memory is read
/// at, time until ready and memory that belongs to the process alone.
void measure_gguf(const std::filesystem::path& model, const std::filesystem::path& llama_cpp, bool quick,
                  const Emit& emit);

}  // namespace kvmesh::bench

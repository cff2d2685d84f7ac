#pragma once

#include <filesystem>

#include "llm/model/tensor_file.hpp"

namespace kvmesh::llm {

/// Maps a .safetensors file and checks its header whole: lengths against the file, dtypes, shapes against byte ranges,
/// overlaps, names that stand twice. Throws Error{kFixInput} that names the file and the tensor.
TensorFile open_safetensors(const std::filesystem::path& path);

}  // namespace kvmesh::llm

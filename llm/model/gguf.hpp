#pragma once

#include <filesystem>
#include <vector>

#include "llm/model/gguf_metadata.hpp"
#include "llm/model/tensor_file.hpp"

namespace kvmesh::llm {

/// A model in the GGUF format of llama.cpp, versions 2 and 3: metadata and tensors, of one file or of all files of a
/// split one, memory-mapped. Format: gguf.md among the documents of ggml. A value, cheap to copy.
class GgufFile {
 public:
  /// Maps the file, and those that it says belong to it, and checks the whole header: counts, lengths, types, shapes,
  /// offsets against the file, overlaps, keys and tensors that stand twice. `path` is the file, or the first of a split
  /// one ("NAME-00001-of-00003.gguf"). Throws Error{kFixInput} that names the file and the key or tensor.
  static GgufFile open(const std::filesystem::path& path);

  /// Of the first file.
  const GgufMetadata& metadata() const { return metadata_; }
  /// The tensors; in a split file each part holds some.
  const std::vector<TensorFile>& parts() const { return parts_; }

 private:
  GgufMetadata metadata_;
  std::vector<TensorFile> parts_;
};

/// Whether `model` is to be read as GGUF: a file, or a name that ends in ".gguf". Everything else is a folder.
bool is_gguf(const std::filesystem::path& model);

}  // namespace kvmesh::llm

#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "llm/model/safetensors.hpp"

namespace kvmesh::llm {

/// The weights of a Hugging Face folder: model.safetensors, or the shards that model.safetensors.index.json names.
class Checkpoint {
 public:
  /// Maps every file and checks the index against them. Throws Error{kFixInput} that names file and tensor.
  static Checkpoint open(const std::filesystem::path& model_dir);

  bool contains(const std::string& name) const { return files_by_tensor_.count(name) != 0; }
  /// A read-only view of the mapped file. Throws Error{kFixInput}: no such tensor, or a shape other than `shape`.
  at::Tensor get(const std::string& name, at::IntArrayRef shape) const;

  /// One pass over a tensor, piece by piece: looks for NaN and infinity in floating-point numbers, makes its digest and
  /// copies it into `into`, converting, where that is defined (on the meta device: only looks); pages that were copied
  /// are released as it goes, so that no more than a piece is resident beside the copy. Throws Error{kFixInput} as
  /// get() does, and where a number is not finite. Returns XXH3-64 of the stored bytes.
  std::uint64_t read(const std::string& name, at::IntArrayRef shape, const at::Tensor& into) const;

  std::vector<std::string> names() const;
  /// Elements of all tensors, each counted once.
  std::int64_t parameter_count() const;
  /// 16 hex digits: XXH3-64 over name, shape, dtype and digest of each tensor, in name order. `digests` are those that
  /// read() gave; other tensors are read now, and released.
  std::string fingerprint(std::map<std::string, std::uint64_t> digests = {}) const;

 private:
  const SafetensorsFile& file_of(const std::string& name) const;

  std::filesystem::path source_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> files_by_tensor_;
};

}  // namespace kvmesh::llm

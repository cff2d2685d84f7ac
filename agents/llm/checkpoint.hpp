#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agents/llm/safetensors.hpp"

namespace kvmesh::llm {

/// The weights of a Hugging Face folder: model.safetensors, or the shards that model.safetensors.index.json names.
class Checkpoint {
 public:
  /// Maps every file and checks the index against them. Throws Error{kFixInput} that names file and tensor.
  static Checkpoint open(const std::filesystem::path& model_dir);

  bool contains(const std::string& name) const { return files_by_tensor_.count(name) != 0; }
  /// A read-only view of the mapped file. Throws Error{kFixInput}: no such tensor, or a shape other than `shape`.
  at::Tensor get(const std::string& name, at::IntArrayRef shape) const;

  std::vector<std::string> names() const;
  /// Elements of all tensors, each counted once.
  std::int64_t parameter_count() const;
  /// 16 hex digits: XXH3-64 over names, shapes, dtypes and bytes of all tensors in name order. Reads every byte.
  std::string fingerprint() const;

 private:
  std::filesystem::path source_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> files_by_tensor_;
};

}  // namespace kvmesh::llm

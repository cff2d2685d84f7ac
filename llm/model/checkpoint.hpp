#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "llm/model/tensor_file.hpp"

namespace kvmesh::llm {

/// The weights of a model: of a Hugging Face folder model.safetensors, or the shards that model.safetensors.index.json
/// names; or a GGUF file with its parts. Tensors are called as the files call them.
class Checkpoint {
 public:
  /// Maps every file and checks the index against them. Throws Error{kFixInput} that names file and tensor.
  static Checkpoint open(const std::filesystem::path& model);

  bool contains(const std::string& name) const { return files_by_tensor_.count(name) != 0; }
  /// Where the tensor lies. Throws Error{kFixInput}: no such tensor, a shape other than `shape`, numbers that are
  /// neither floating-point nor quantised.
  StoredTensor get(const std::string& name, std::span<const std::int64_t> shape) const;

  struct ReadOptions {
    /// Given each piece of the tensor in turn, whole blocks, 1 MiB at most, with its place among the tensor's numbers.
    std::function<void(std::int64_t first, std::span<const std::byte> numbers)> on_piece;
    bool release = true;   ///< pages of the file that were read stop being resident
    std::stop_token stop;  ///< asked before each piece
  };
  /// One pass over a tensor, piece by piece: looks for NaN and infinity and makes its digest. Throws Error{kFixInput}
  /// as get() does, and where a number is not finite; Error{kGiveUp} when it is asked to stop. Returns XXH3-64 of the
  /// stored bytes.
  std::uint64_t read(const std::string& name, std::span<const std::int64_t> shape, const ReadOptions& options) const;

  bool is_gguf() const { return is_gguf_; }
  std::vector<std::string> names() const;
  /// The file that the tensors' names come from: model.safetensors, the index, the GGUF file.
  const std::filesystem::path& source() const { return source_; }
  const std::vector<TensorFile>& files() const { return files_; }
  /// Elements of all tensors, each counted once.
  std::int64_t parameter_count() const;
  /// 16 hex digits: XXH3-64 over name, shape, dtype and digest of each tensor, in name order. Of a GGUF file, which is
  /// mapped and not read, digests are those of each tensor's first, middle and last page. Otherwise `digests` are those
  /// that read() gave; other tensors are read now, and released. Throws as read() does when it is asked to stop.
  std::string fingerprint(std::map<std::string, std::uint64_t> digests = {}, const std::stop_token& stop = {}) const;
  /// What was found beside the weights and is not read, a line each.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void refuse_stopped(const std::stop_token& stop) const;
  void add_file(const std::filesystem::path& path);
  void open_shards(const std::filesystem::path& model_dir);
  void open_gguf(const std::filesystem::path& path);
  void note_unread_files(const std::filesystem::path& model_dir);
  const TensorFile& file_of(const std::string& name) const;

  std::filesystem::path source_;
  bool is_gguf_ = false;
  std::vector<TensorFile> files_;
  std::map<std::string, std::size_t> files_by_tensor_;
  std::vector<std::string> notes_;
};

}  // namespace kvmesh::llm

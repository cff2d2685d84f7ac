#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "llm/model/stored_dtype.hpp"

namespace kvmesh::llm {

/// A tensor where it lies in its mapped file, which it keeps mapped. Its bytes may stand at any address.
struct StoredTensor {
  StoredDtype dtype = StoredDtype::kFloat;
  std::vector<std::int64_t> shape;  ///< rows first, as libtorch has it
  OwnedBytes bytes;

  std::int64_t count() const {
    return static_cast<std::int64_t>(bytes.size() / element_size(dtype)) * block_length(dtype);
  }
};

/// A file of tensors, memory-mapped, and where each tensor lies in it. Readers of its formats (safetensors.hpp,
/// gguf.hpp) map it, check its header and add what they found. Const members are thread-safe.
class TensorFile {
 public:
  /// Throws Error{kFixInput} that names the file: cannot be opened or mapped, a git-LFS pointer, fewer than `at_least`
  /// bytes, which `format` ("safetensors") names.
  static TensorFile map(const std::filesystem::path& path, std::size_t at_least, const std::string& format);

  struct Entry {
    StoredDtype dtype = StoredDtype::kFloat;
    std::vector<std::int64_t> shape;
    std::size_t begin = 0;  ///< byte offset in the file
    std::size_t end = 0;
  };
  /// Checked by the reader: the bytes are in the file and as many as dtype and shape ask for. False: the name is there.
  bool add(const std::string& name, Entry entry) { return entries_.emplace(name, std::move(entry)).second; }
  /// Throws Error{kFixInput} where two tensors share bytes.
  void refuse_overlaps() const;

  bool contains(const std::string& name) const { return entries_.count(name) != 0; }
  /// Throws Error{kFixInput} where the file has no such tensor.
  StoredTensor get(const std::string& name) const;
  const std::map<std::string, Entry>& entries() const { return entries_; }

  /// Tells the kernel that these bytes of the mapping, as entries() counts them, are done with: they stop being
  /// resident and come back from the file where somebody looks after all.
  void release(std::size_t begin, std::size_t end) const;
  const std::filesystem::path& path() const { return path_; }
  /// The whole file.
  const OwnedBytes& bytes() const { return bytes_; }
  /// Tells this file, as it was when it was mapped, from every other of this host: device, inode, size, times.
  const std::string& identity() const { return identity_; }

 private:
  std::filesystem::path path_;
  std::string identity_;
  OwnedBytes bytes_;
  std::map<std::string, Entry> entries_;
};

/// Bytes that numbers of this shape take. None: more than memory can be addressed with, or a row that is no whole
/// number of blocks. Extents are not negative.
std::optional<std::size_t> bytes_of(StoredDtype dtype, std::span<const std::int64_t> shape);

}  // namespace kvmesh::llm

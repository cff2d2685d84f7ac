#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "llm/model/stored_dtype.hpp"

namespace kvmesh::llm {

/// A tensor where it lies in its mapped file, which it keeps mapped. Its bytes may stand at any address.
struct StoredTensor {
  StoredDtype dtype = StoredDtype::kFloat;
  std::vector<std::int64_t> shape;
  OwnedBytes bytes;

  std::int64_t count() const { return static_cast<std::int64_t>(bytes.size() / element_size(dtype)); }
};

/// One .safetensors file, memory-mapped. Const members are thread-safe.
class SafetensorsFile {
 public:
  /// Maps the file and checks its header whole: lengths against the file, dtypes, shapes against byte ranges, overlaps,
  /// names that stand twice. Throws Error{kFixInput} that names the file and the tensor.
  static SafetensorsFile open(const std::filesystem::path& path);

  bool contains(const std::string& name) const { return entries_.count(name) != 0; }
  /// Throws Error{kFixInput} where the file has no such tensor.
  StoredTensor get(const std::string& name) const;
  /// Tells the kernel that these bytes of the mapping, as entries() counts them, are done with: they stop being
  /// resident and come back from the file where somebody looks after all.
  void release(std::size_t begin, std::size_t end) const;
  const std::filesystem::path& path() const { return path_; }
  /// Tells this file, as it was when it was mapped, from every other of this host: device, inode, size, times.
  const std::string& identity() const { return identity_; }

  struct Entry {
    StoredDtype dtype = StoredDtype::kFloat;
    std::vector<std::int64_t> shape;
    std::size_t begin = 0;  ///< byte offset in the file
    std::size_t end = 0;
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  std::filesystem::path path_;
  std::string identity_;
  std::shared_ptr<const std::byte> mapping_;
  std::map<std::string, Entry> entries_;
};

}  // namespace kvmesh::llm

#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace kvmesh::test {

/// Writes GGUF files, also ones that lie: every field may be set to what it should not be.
class GgufWriter {
 public:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> extents;  ///< rows first
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
    std::string bytes;
  };

  template <class T>
  static std::string raw(const T& number) {
    return {reinterpret_cast<const char*>(&number), sizeof number};
  }
  static std::string raw_text(std::string_view text) {
    return raw(static_cast<std::uint64_t>(text.size())) + std::string(text);
  }

  /// `type` as the format numbers it, `value` as it stands in the file.
  GgufWriter& key(std::string_view name, std::uint32_t type, const std::string& value) {
    keys_ += raw_text(name) + raw(type) + value;
    ++key_count;
    return *this;
  }
  GgufWriter& u32(std::string_view name, std::uint32_t value) { return key(name, 4, raw(value)); }
  GgufWriter& f32(std::string_view name, float value) { return key(name, 6, raw(value)); }
  GgufWriter& flag(std::string_view name, bool value) { return key(name, 7, std::string(1, value ? '\1' : '\0')); }
  GgufWriter& text(std::string_view name, std::string_view value) { return key(name, 8, raw_text(value)); }
  GgufWriter& texts(std::string_view name, const std::vector<std::string>& values) {
    std::string all = raw(std::uint32_t{8}) + raw(static_cast<std::uint64_t>(values.size()));
    for (const std::string& value : values) all += raw_text(value);
    return key(name, 9, all);
  }
  template <class T>
  GgufWriter& numbers(std::string_view name, std::uint32_t type, const std::vector<T>& values) {
    std::string all = raw(type) + raw(static_cast<std::uint64_t>(values.size()));
    for (const T value : values) all += raw(value);
    return key(name, 9, all);
  }

  /// Behind the tensors that are there, at the next multiple of the alignment.
  GgufWriter& tensor(const std::string& name, std::vector<std::uint64_t> extents, std::uint32_t type,
                     std::string bytes) {
    const std::uint64_t end = tensors.empty() ? 0 : tensors.back().offset + tensors.back().bytes.size();
    tensors.push_back({name, std::move(extents), type, padded(end), std::move(bytes)});
    tensor_count = tensors.size();
    return *this;
  }
  GgufWriter& floats(const std::string& name, std::vector<std::uint64_t> extents, const std::vector<float>& numbers) {
    return tensor(name, std::move(extents), 0,
                  {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)});
  }

  std::string bytes() const {
    std::string all = raw(magic) + raw(version) + raw(tensor_count) + raw(key_count) + keys_;
    for (const Tensor& t : tensors) {
      all += raw_text(t.name) + raw(static_cast<std::uint32_t>(t.extents.size()));
      for (auto extent = t.extents.rbegin(); extent != t.extents.rend(); ++extent) all += raw(*extent);
      all += raw(t.type) + raw(t.offset);
    }
    if (tensors.empty()) return all;
    all.resize(padded(all.size()));
    const std::size_t data = all.size();
    for (const Tensor& t : tensors) {
      if (t.offset > 1 << 30) continue;  // a lie
      if (all.size() < data + t.offset) all.resize(data + t.offset);
      all.replace(data + t.offset, t.bytes.size(), t.bytes);
    }
    return all;
  }
  std::filesystem::path write(const std::filesystem::path& path) const {
    std::ofstream(path, std::ios::binary) << bytes();
    return path;
  }

  std::uint32_t magic = 0x46554747;
  std::uint32_t version = 3;
  std::uint64_t tensor_count = 0, key_count = 0;
  std::uint64_t alignment = 32;  ///< what offsets are padded to; a file with another says so by its key
  std::vector<Tensor> tensors;

 private:
  std::size_t padded(std::uint64_t at) const { return (at + alignment - 1) / alignment * alignment; }

  std::string keys_;
};

}  // namespace kvmesh::test

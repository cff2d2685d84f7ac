#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kvmesh::llm {

/// Texts by their bytes, each with a number: finds every one that another text starts with. A value.
class PrefixTree {
 public:
  /// Room for about so many bytes of texts.
  void expect_bytes(std::size_t count) { next_.reserve(count); }

  /// `text` is not empty. A text that is there already gets the new number.
  void add(std::string_view text, std::uint32_t number) {
    std::uint32_t node = 0;
    for (const char byte : text) {
      const auto [entry, is_new] = next_.try_emplace(key(node, byte), static_cast<std::uint32_t>(numbers_.size()));
      if (is_new) numbers_.push_back(kNone);
      node = entry->second;
    }
    numbers_[node] = number;
  }

  /// Calls `on_match(length, number)` for every text that `text` starts with, the shortest first.
  template <typename OnMatch>
  void find_prefixes(std::string_view text, OnMatch on_match) const {
    std::uint32_t node = 0;
    for (std::size_t length = 0; length < text.size();) {
      const auto found = next_.find(key(node, text[length]));
      if (found == next_.end()) return;
      node = found->second;
      ++length;
      if (numbers_[node] != kNone) on_match(length, numbers_[node]);
    }
  }

 private:
  static constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);
  static std::uint64_t key(std::uint32_t node, char byte) {
    return std::uint64_t{node} << 8 | static_cast<unsigned char>(byte);
  }

  std::unordered_map<std::uint64_t, std::uint32_t> next_;
  std::vector<std::uint32_t> numbers_{kNone};  ///< by node
};

}  // namespace kvmesh::llm

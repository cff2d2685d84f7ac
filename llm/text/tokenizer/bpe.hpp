#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "llm/text/tokenizer/token_model.hpp"

namespace kvmesh::llm {

/// Byte pair encoding: characters of a piece become tokens, and the pair with the best rank is merged as long as there
/// is one (leftmost first among equals).
class Bpe final : public TokenModel {
 public:
  /// Throws Error{kFixInput} for a vocabulary and merges that do not fit together.
  explicit Bpe(const Description& model);

  /// The arrays of a GGUF file.
  struct Lists {
    std::span<const std::string_view> tokens;
    std::span<const std::string_view> merges;  ///< two tokens with a space between, the best first
    bool ignore_merges = false;
    std::string file;
  };
  /// Throws the same.
  explicit Bpe(const Lists& lists);

  void encode(std::string_view piece, Cache& cache, std::vector<std::int64_t>& ids) const override;

 private:
  struct Merge {
    std::uint32_t rank = 0;
    Id result = 0;
  };
  /// A character of a piece: a token, or the bytes or the unknown token that stand for it.
  struct Symbol {
    Id id = 0;
    bool barrier_allowed = false;  ///< a single character of the vocabulary: may stand at the edge of a word
  };

  void read_vocabulary(const Description& vocabulary);
  void read_merges(const Description& merges);
  /// What is wrong with a merge; empty: nothing, and it was added.
  std::string add_merge(std::string_view left, std::string_view right);
  void note_neighbours(std::string_view token);

  std::vector<Symbol> symbols_of(std::string_view piece) const;
  bool append_bytes(std::string_view character, std::vector<Symbol>& symbols) const;
  void merge(const Symbol* symbols, std::size_t count, std::vector<std::int64_t>& ids) const;
  const Merge* find_merge(Id left, Id right) const;

  static std::uint64_t pair(Id left, Id right) { return static_cast<std::uint64_t>(left) << 32 | right; }

  std::unordered_map<std::uint64_t, Merge> merges_;
  std::unordered_set<std::uint64_t> neighbours_;  ///< characters that stand side by side in the result of some merge
  std::vector<std::optional<Id>> byte_tokens_;    ///< 256, or empty without byte fallback
  std::optional<Id> unknown_;
  std::string prefix_;  ///< of every character of a piece but the first
  std::string suffix_;  ///< of the last
  std::uint32_t merge_count_ = 0;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
};

}  // namespace kvmesh::llm

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "llm/text/tokenizer/description.hpp"

namespace kvmesh::llm {

/// Byte pair encoding: characters of a piece become tokens, and the pair with the best rank is merged as long as there
/// is one (leftmost first among equals). Immutable; encode() may be called from several threads at once.
class Bpe {
 public:
  using Id = std::uint32_t;

  /// The ids of pieces that were met before, while one text is encoded.
  using Cache = std::unordered_map<std::string, std::vector<std::int64_t>>;

  /// The `model` of a tokenizer.json. Throws Error{kFixInput} for another type than BPE, and for a vocabulary or merges
  /// that do not fit together.
  explicit Bpe(const Description& model);
  Bpe(const Bpe&) = delete;
  Bpe& operator=(const Bpe&) = delete;

  /// Appends the ids of one piece.
  void encode(std::string_view piece, Cache& cache, std::vector<std::int64_t>& ids) const;

  std::optional<Id> find(std::string_view token) const;
  const std::unordered_map<std::string_view, Id>& vocabulary() const { return vocabulary_; }

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
  void add_merge(const Description& where, std::string_view left, std::string_view right);
  void note_neighbours(std::string_view token);
  void read_byte_tokens();

  std::vector<Symbol> symbols_of(std::string_view piece) const;
  bool append_bytes(std::string_view character, std::vector<Symbol>& symbols) const;
  void merge(const Symbol* symbols, std::size_t count, std::vector<std::int64_t>& ids) const;
  const Merge* find_merge(Id left, Id right) const;

  static std::uint64_t pair(Id left, Id right) { return static_cast<std::uint64_t>(left) << 32 | right; }

  std::vector<std::string> spellings_;  ///< what the keys of vocabulary_ point into
  std::unordered_map<std::string_view, Id> vocabulary_;
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

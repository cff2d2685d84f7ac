#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/text/tokenizer/prefix_tree.hpp"
#include "llm/text/tokenizer/token_model.hpp"

namespace kvmesh::llm {

/// SentencePiece's unigram language model: of all ways to cut a piece into tokens the one whose scores (logarithms of
/// probabilities) have the greatest sum, found by Viterbi's algorithm in one pass (Kudo 2018, arXiv 1804.10959).
class Unigram final : public TokenModel {
 public:
  /// Throws Error{kFixInput} for a vocabulary that is no list of [token, score], and for an unk_id outside of it.
  explicit Unigram(const Description& model);

  /// Throws Error{kFixInput} for a character that no token is, where there is no unknown token.
  void encode(std::string_view piece, Cache& cache, std::vector<std::int64_t>& ids) const override;

 private:
  /// The best way to cut the bytes up to one place: the token that ends there, and what all of them score.
  struct Best {
    double score = 0;
    std::size_t start = 0;
    Id id = kNoId;  ///< kNoId: no way was found yet
  };

  void read_vocabulary(const Description& vocabulary);
  std::vector<Best> find_best(std::string_view piece) const;
  void append(std::string_view token, std::vector<std::int64_t>& ids) const;
  Id unknown_for(std::string_view text) const;

  std::vector<double> scores_;  ///< by id
  PrefixTree tree_;
  std::optional<Id> unknown_;
  double unknown_score_ = 0;
  std::vector<std::optional<Id>> byte_tokens_;  ///< 256, or empty without byte fallback
};

}  // namespace kvmesh::llm

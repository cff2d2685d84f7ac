#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "llm/text/tokenizer/token_model.hpp"

namespace kvmesh::llm {

/// SentencePiece's BPE as llama.cpp does it for `tokenizer.ggml.model` "llama": characters of a piece, and of all
/// neighbours that together are a token those with the greatest score become one (the leftmost among equals), as long
/// as there are any. A character that is no token becomes its bytes, "<0x0A>".
class ScoreMerge final : public TokenModel {
 public:
  /// `scores` by id, as many as `tokens`. `unknown` stands in for a byte that has no token. Throws Error{kFixInput},
  /// which begins with `place`, for a token that stands twice.
  ScoreMerge(std::span<const std::string_view> tokens, std::vector<float> scores, std::optional<Id> unknown,
             const std::string& place);

  /// Takes time in proportion to n log n of the piece's n characters: no pre-tokenizer cuts it.
  void encode(std::string_view piece, Cache& cache, std::vector<std::int64_t>& ids) const override;

 private:
  void append(std::string_view symbol, std::vector<std::int64_t>& ids) const;

  std::vector<float> scores_;
  std::optional<Id> unknown_;
  std::vector<std::optional<Id>> byte_tokens_;  ///< 256
  std::size_t longest_ = 0;                     ///< token, in bytes
};

}  // namespace kvmesh::llm

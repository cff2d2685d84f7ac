#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llm/text/tokenizer/description.hpp"

namespace kvmesh::llm {

/// A vocabulary and the rule by which a piece of text becomes its tokens. Immutable; const members may be called from
/// several threads at once.
class TokenModel {
 public:
  using Id = std::uint32_t;
  using Vocabulary = std::unordered_map<std::string_view, Id>;

  /// The ids of pieces that were met before, while one text is encoded.
  using Cache = std::unordered_map<std::string, std::vector<std::int64_t>>;

  TokenModel() = default;
  TokenModel(const TokenModel&) = delete;
  TokenModel& operator=(const TokenModel&) = delete;
  virtual ~TokenModel() = default;

  /// Appends the ids of one piece. Throws Error{kFixInput} where the piece has a character that the model has no token
  /// for and no way to stand in for.
  virtual void encode(std::string_view piece, Cache& cache, std::vector<std::int64_t>& ids) const = 0;

  std::optional<Id> find(std::string_view token) const;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  static constexpr Id kNoId = static_cast<Id>(-1);

  /// Room for `count` tokens. Called once, before the first add_token().
  void expect_tokens(std::size_t count);
  /// The tokens of a GGUF file, whose ids are their places. Throws Error{kFixInput}, which begins with `place`, for one
  /// that stands twice, or that is no UTF-8.
  void add_tokens(std::span<const std::string_view> tokens, const std::string& place);
  /// A token that is there already gets the new id.
  void add_token(const std::string& token, Id id);

 private:
  std::vector<std::string> spellings_;  ///< what the keys of vocabulary_ point into
  Vocabulary vocabulary_;
};

/// The model of a tokenizer.json. Throws Error{kFixInput} for a type that is not supported, and for a vocabulary that
/// does not fit together.
std::unique_ptr<const TokenModel> make_token_model(const Description& model);

/// The 256 tokens "<0x00>" to "<0xFF>" as far as `model` has them, by their byte.
std::vector<std::optional<TokenModel::Id>> byte_tokens_of(const TokenModel& model);

}  // namespace kvmesh::llm

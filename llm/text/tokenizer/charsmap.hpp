#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/text/tokenizer/normalizer.hpp"

namespace kvmesh::llm {

/// SentencePiece's rules of normalisation, compiled into a tokenizer.json ("Precompiled"): what a character, or a few
/// together, are replaced with. The keys are a double-array trie as Darts-clone writes it, the values one text with a
/// zero byte behind each.
class Charsmap final : public Normalizer {
 public:
  /// Throws Error{kFixInput} where `precompiled_charsmap` is not base64, or is not such a map.
  explicit Charsmap(const Description& description);

  std::string apply(std::string text) const override;

 private:
  /// What replaces the shortest start of `text` that is a key; `tokenizers` lets it stand for all of `text`.
  std::optional<std::string_view> find(std::string_view text) const;

  std::vector<std::uint32_t> units_;
  std::string values_;
};

}  // namespace kvmesh::llm

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "llm/text/tokenizer/description.hpp"

namespace kvmesh::llm {

/// A stretch of text that becomes tokens by itself.
struct Piece {
  std::string text;
  bool at_start = false;  ///< it starts where the whole text starts
};

/// One step that cuts pieces into smaller ones. Immutable.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual std::vector<Piece> apply(std::vector<Piece> pieces) const = 0;
};

/// The pre-tokenizer of a tokenizer.json. Throws Error{kFixInput} for a type that is not known.
std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const Description& description);

}  // namespace kvmesh::llm

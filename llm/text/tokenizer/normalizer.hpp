#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "llm/text/tokenizer/description.hpp"

namespace kvmesh::llm {

/// One step that rewrites text before it is cut. Immutable.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual std::string apply(std::string text) const = 0;
};

/// "NFC", "NFD", "NFKC" or "NFKD"; null for another name.
std::unique_ptr<const Normalizer> make_unicode_form(std::string_view name);

/// The normalizer of a tokenizer.json. Throws Error{kFixInput} for a type that is not known.
std::unique_ptr<const Normalizer> make_normalizer(const Description& description);

}  // namespace kvmesh::llm

#include "llm/text/tokenizer/pattern.hpp"

namespace kvmesh::llm {

Regex make_pattern(const Description& description) {
  try {
    if (description.has("Regex")) return Regex::compile(description.text("Regex"));
    return Regex::literal(description.has("String") ? description.text("String") : description.text());
  } catch (const Error& error) {
    if (description.has("Regex") || description.has("String")) description.fail(error.what());
    throw;
  }
}

}  // namespace kvmesh::llm

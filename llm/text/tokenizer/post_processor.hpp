#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "llm/text/tokenizer/description.hpp"

namespace kvmesh::llm {

/// Puts special tokens around the ids of one text. Immutable.
class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual std::vector<std::int64_t> apply(std::vector<std::int64_t> ids) const = 0;
  /// Does it ever add a token?
  virtual bool adds_tokens() const = 0;
};

/// The post-processor of a tokenizer.json. Throws Error{kFixInput} for a type that is not known.
std::unique_ptr<const PostProcessor> make_post_processor(const Description& description);

}  // namespace kvmesh::llm

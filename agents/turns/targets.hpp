#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llm/host.hpp"

namespace kvmesh::agents {

/// Right answers of one task, in every spelling that its agent may give them. A value.
class Targets {
 public:
  /// Throws Error{kFixInput} where there are answers and none has a token.
  Targets(const llm::Tokenizer& tokenizer, const std::vector<std::string>& answers);

  bool empty() const { return spellings_.empty(); }
  /// How many rows reading them adds to a cache for a while.
  std::int64_t rows() const;
  struct Cheapest {
    double nats = 0;
    std::vector<std::int64_t> ids;
  };
  /// Which of them costs least behind what `cache` holds, in nats; `logits` as of the prompt's prefill.
  Cheapest cheapest(const llm::Model& model, llm::KvCache& cache, const at::Tensor& logits) const;

 private:
  std::vector<std::vector<std::int64_t>> spellings_;
};

}  // namespace kvmesh::agents

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "agents/wiring.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

struct ExpectedEmbeddingOptions {
  double temperature = 0.7;
  int max_steps = 0;
  std::vector<std::int64_t> stop_tokens;
  std::function<bool()> keep_going;  ///< asked before each step; unset: always
};

/// What CIPHER sends. A step whose nearest token is a stop token ends it and is not kept.
struct ExpectedEmbeddings {
  at::Tensor vectors;                 ///< [steps, hidden_size], as the embedding layer would give them out
  std::vector<std::int64_t> nearest;  ///< the token whose embedding is nearest to each, by cosine
  bool stopped = false;               ///< by a stop token, not by max_steps
};

/// The receiver's end: the vectors that `message` brings, [steps, hidden_size]. Throws Error{kFixInput} that names the
/// edge where their width is not the model's.
at::Tensor vectors_of(const llm::Model& model, const InboundEdge& edge, const wire::WireMessage& message);

/// Per step softmax(logits / temperature) @ embedding table, which is fed back as the next input (CIPHER,
/// docs/method.md). `logits` [1, vocab_size] are what prefill gave for the last position; `cache` goes on from there.
ExpectedEmbeddings generate_embeddings(const llm::Model& model, llm::KvCache& cache, const at::Tensor& logits,
                                       const ExpectedEmbeddingOptions& options);

}  // namespace kvmesh::agents

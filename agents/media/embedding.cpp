#include "agents/media/embedding.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "base/error.hpp"
#include "kvcodec/decode.hpp"

namespace kvmesh::agents {

at::Tensor vectors_of(const llm::Model& model, const InboundEdge& edge, const wire::WireMessage& message) {
  at::Tensor vectors = kvcodec::decode_tensor(message, "vectors");
  if (vectors.dim() != 2 || vectors.size(1) != model.config().hidden_size)
    fail_input("edge ", wire::describe(edge.spec), ": vectors of shape ", vectors.sizes(),
               " came, this model's width is ", model.config().hidden_size);
  return vectors;
}

ExpectedEmbeddings generate_embeddings(const llm::Model& model, llm::KvCache& cache, const at::Tensor& logits,
                                       const ExpectedEmbeddingOptions& options) {
  c10::InferenceMode guard;
  const at::Tensor table = model.embedding_table().widened();
  const at::Tensor lengths = table.norm(2, 1).clamp_min(1e-12);
  ExpectedEmbeddings result;
  std::vector<at::Tensor> steps;
  at::Tensor next = logits;
  while (static_cast<int>(steps.size()) < options.max_steps && (!options.keep_going || options.keep_going())) {
    const at::Tensor probabilities = at::softmax(next.select(0, next.size(0) - 1) / options.temperature, -1);
    const at::Tensor vector = at::mv(table.t(), probabilities);
    // The vector's own length scales every cosine alike.
    const auto nearest = (at::mv(table, vector) / lengths).argmax().item<std::int64_t>();
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), nearest) != options.stop_tokens.end()) {
      result.stopped = true;
      break;
    }
    steps.push_back(vector);
    result.nearest.push_back(nearest);
    if (static_cast<int>(steps.size()) == options.max_steps) break;
    next = model.forward({.embeddings = vector.unsqueeze(0), .phase = llm::Phase::kDecode}, cache).logits;
  }
  result.vectors = steps.empty() ? at::empty({0, table.size(1)}, table.options()) : at::stack(steps);
  result.vectors = result.vectors.to(model.dtype());
  return result;
}

}  // namespace kvmesh::agents

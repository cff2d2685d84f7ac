#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "agents/media/embedding.hpp"
#include "kvcodec/wire/edge_spec.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// One exchange on given token ids: no topology, no tokenizer, no process. It goes through the codec, so it is the
/// shortest way to compare with another implementation; `kvmesh share` and the tests are its users.
struct ExchangeRequest {
  std::vector<std::vector<std::int64_t>> sender_ids;  ///< a prompt for each sender, in declared order
  std::vector<std::int64_t> receiver_ids;
  wire::EdgeSpec edge;  ///< medium and its options, the same for every sender; from and to are ignored
  bool chain = false;   ///< each sender prefills with those before it in view, the last one shares
  int max_tokens = 0;   ///< greedy tokens after the receiver's prompt
  std::vector<std::int64_t> stop_tokens;
};

struct ExchangeResult {
  at::Tensor logits;                        ///< fp32 [receiver tokens, vocab_size]
  std::vector<std::int64_t> greedy;         ///< without the stop token
  std::uint64_t bytes = 0;                  ///< of all frames
  std::vector<std::vector<double>> scores;  ///< kv with all layers shared: for each sender, a number a receiver layer
};

/// kv and activation. Throws Error{kFixInput} where the two models do not fit, with the fields that differ, and where
/// tokens do not fit into the models' positions, with the numbers; before anything is computed.
ExchangeResult exchange(const llm::Model& sender, const llm::Model& receiver, const ExchangeRequest& request);

/// What a CIPHER sender makes of its prompt, for a receiver that is `receiver`. Throws as exchange().
ExpectedEmbeddings sender_embeddings(const llm::Model& sender, const wire::Manifest& receiver,
                                     const ExchangeRequest& request);

}  // namespace kvmesh::agents

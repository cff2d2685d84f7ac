#pragma once

#include <ATen/core/Tensor.h>

#include <stop_token>
#include <string>
#include <vector>

#include "llm/model/weight_sources.hpp"

namespace kvmesh::llm {

/// One layer's weights in the compute dtype. Undefined: the family has none. Projections of one input are stacked into
/// one matrix, so that one product does for all of them. Norms of a (1 + w) family are fp32 and hold 1 + w.
struct LayerWeights {
  at::Tensor attention_norm;            ///< [hidden], of what enters attention
  at::Tensor after_attention_norm;      ///< [hidden], of what it gives out
  at::Tensor mlp_norm, after_mlp_norm;  ///< the same of the MLP
  at::Tensor qkv, qkv_bias;             ///< [(heads + 2 kv_heads) * head_dim, hidden]
  at::Tensor qk_norm;                   ///< [heads + kv_heads, head_dim], a row a head
  at::Tensor out, out_bias;             ///< [hidden, heads * head_dim]
  at::Tensor gate_up, gate_up_bias;     ///< [2 * intermediate, hidden]
  at::Tensor down, down_bias;           ///< [hidden, intermediate]
};

struct Weights {
  at::Tensor embed_tokens;  ///< [vocab_size, hidden]
  at::Tensor final_norm;    ///< [hidden]
  at::Tensor lm_head;       ///< [vocab_size, hidden]; embed_tokens where they are tied
  std::vector<LayerWeights> layers;
  std::vector<std::string> unused;  ///< WeightSources::unused
  std::vector<std::string> notes;   ///< WeightSources::notes
  std::string fingerprint;          ///< Checkpoint::fingerprint
};

at::ScalarType scalar_type_of(StoredDtype dtype);

/// A read-only view of the mapped file, which it keeps mapped; a copy where the tensor's bytes are not aligned.
at::Tensor as_tensor(const StoredTensor& stored);

/// Reads every byte once, piece by piece; on the CPU, once for all processes of this user on this host: what is not the
/// mapped file itself stands in memory that they share (shared_block.hpp). The weights must not be written. Throws
/// Error{kFixInput} that names file and tensor where a number is not finite; Error{kGiveUp} soon after `stop` is
/// requested.
Weights load_weights(const Checkpoint& checkpoint, const WeightSources& sources, const ModelConfig& config,
                     at::ScalarType dtype, at::Device device, const std::stop_token& stop = {});

}  // namespace kvmesh::llm

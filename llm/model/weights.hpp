#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "llm/model/checkpoint.hpp"
#include "llm/model/config.hpp"

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
  std::vector<std::string> unused;  ///< tensors in the checkpoint that the architecture does not use
  std::string fingerprint;          ///< Checkpoint::fingerprint
};

/// What the weights are stored in: the dtype of the embedding table, which every decoder has.
at::ScalarType stored_dtype(const Checkpoint& checkpoint, const ModelConfig& config);

/// Reads every byte once, tensor by tensor. On the meta device: looks at all tensors and keeps none. Throws
/// Error{kFixInput} that names file and tensor: missing, of another shape, not a number.
Weights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, at::ScalarType dtype, at::Device device);

}  // namespace kvmesh::llm

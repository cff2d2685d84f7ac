#pragma once

#include <ATen/core/Tensor.h>

#include <stop_token>
#include <string>
#include <vector>

#include "llm/model/matrix.hpp"
#include "llm/model/weight_sources.hpp"

namespace kvmesh::llm {

/// One layer's weights, tensors in the compute dtype. Undefined: the family has none. Projections of one input are one
/// matrix, so that one product does for all of them. Norms of a (1 + w) family are fp32 and hold 1 + w; those of a GGUF
/// file are fp32.
struct LayerWeights {
  at::Tensor attention_norm;            ///< [hidden], of what enters attention
  at::Tensor after_attention_norm;      ///< [hidden], of what it gives out
  at::Tensor mlp_norm, after_mlp_norm;  ///< the same of the MLP
  Matrix qkv;                           ///< [(heads + 2 kv_heads) * head_dim, hidden]
  at::Tensor qkv_bias;                  ///< [(heads + 2 kv_heads) * head_dim]
  at::Tensor qk_norm;                   ///< [heads + kv_heads, head_dim], a row a head
  Matrix out;                           ///< [hidden, heads * head_dim]
  Matrix gate_up;                       ///< [2 * intermediate, hidden]
  Matrix down;                          ///< [hidden, intermediate]
  at::Tensor out_bias, gate_up_bias, down_bias;
};

struct Weights {
  Matrix embed_tokens;    ///< [vocab_size, hidden]
  at::Tensor final_norm;  ///< [hidden]
  Matrix lm_head;         ///< [vocab_size, hidden]; embed_tokens where they are tied
  std::vector<LayerWeights> layers;
  std::vector<std::string> unused;  ///< WeightSources::unused
  std::vector<std::string> notes;   ///< WeightSources::notes
  std::string fingerprint;          ///< Checkpoint::fingerprint
};

at::ScalarType scalar_type_of(StoredDtype dtype);

/// A read-only view of the mapped file, which it keeps mapped; a copy where the tensor's bytes are not aligned.
at::Tensor as_tensor(const StoredTensor& stored);

/// Of safetensors, reads every byte once, piece by piece; on the CPU, once for all processes of this user on this host:
/// what is not the mapped file itself stands in memory that they share (shared_block.hpp). Matrices of a GGUF file are,
/// on the CPU, the mapped file itself, of which norms and biases alone are read. The weights must not be written.
/// Throws Error{kFixInput} that names file and tensor where a number that was read is not finite; Error{kGiveUp} soon
/// after `stop` is requested.
Weights load_weights(const Checkpoint& checkpoint, const WeightSources& sources, const ModelConfig& config,
                     at::ScalarType dtype, at::Device device, const std::stop_token& stop = {});

}  // namespace kvmesh::llm

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "llm/model/checkpoint.hpp"
#include "llm/model/config.hpp"

namespace kvmesh::llm {

/// A tensor of the checkpoint, found, with the shape that the configuration asks for.
struct SourceTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t interleaved = 0;  ///< head_dim where its rows stand as ModelConfig::interleaved_rows says; else 0
};
/// Tensors that are stacked, row under row, into one weight; mostly one alone. Empty: the family has no such weight.
using WeightSource = std::vector<SourceTensor>;

/// What one layer is computed with; LayerWeights says what each is.
struct LayerSources {
  WeightSource attention_norm, after_attention_norm, mlp_norm, after_mlp_norm;
  WeightSource qkv, qkv_bias, q_norm, k_norm, out, out_bias;
  WeightSource gate_up, gate_up_bias, down, down_bias;
};

/// Where every weight of a model stands in its checkpoint. A value, made from headers alone.
struct WeightSources {
  WeightSource embed_tokens, final_norm, lm_head;  ///< the same tensor where one serves as both tables
  std::vector<LayerSources> layers;
  StoredDtype dtype = StoredDtype::kFloat;  ///< of the embedding table; a quantised one where any weight is quantised
  std::vector<std::string> unused;          ///< tensors of the checkpoint that the architecture does not use
  std::vector<std::string> notes;           ///< what a reader of the model's answers should know, a line each
};

/// Finds them. In safetensors, tensors stand behind the family's prefix ("model."), behind another that all of them
/// share, or behind none; GGUF has names of its own. Throws Error{kFixInput} that names file and tensor: missing, of
/// another shape.
WeightSources find_weights(const Checkpoint& checkpoint, const ModelConfig& config);

/// Calls it for each that there is or may be, in the order of their declaration.
void for_each_source(const WeightSources& sources, const std::function<void(const WeightSource&)>& call);

}  // namespace kvmesh::llm

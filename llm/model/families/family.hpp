#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "llm/model/config.hpp"
#include "llm/model/families/config_file.hpp"

/// What the readers of families share. A family is one file here and one row in config.cpp (docs/families.md).
namespace kvmesh::llm {

/// A row of the family table in config.cpp.
struct Family {
  const char* architecture;  ///< as config.json's "architectures" names it
  ModelConfig (*read)(const ConfigFile& file);
};

/// Fields that every family of decoders spells alike: sizes, norm, RoPE, tied embeddings (untied where the file says
/// nothing), dtype. Refuses what no family here implements. All layers global.
ModelConfig read_common_config(const ConfigFile& file);

/// Throws Error{kFixInput} that names the field where the file gives it a value that is neither null nor in `neutral`.
void refuse_unless(const ConfigFile& file, const std::string& name, std::initializer_list<nlohmann::json> neutral);

/// The layers that are not global.
struct LocalLayers {
  std::function<bool(std::int64_t layer)> contains;  ///< where "layer_types" does not say
  std::optional<std::int64_t> window;
  RopeConfig rope;
};
/// Gives window and RoPE of local layers to those that "layer_types" calls "sliding_attention" or, where the file has
/// no such field, to those that `local` contains.
void read_layer_types(const ConfigFile& file, const LocalLayers& local, ModelConfig& config);

/// RoPE of one kind of layers, "full_attention" or "sliding_attention", in both spellings: "rope_theta" with
/// "rope_scaling", and "rope_parameters" that holds the two, once or for each kind.
RopeConfig read_rope(const ConfigFile& file, const std::string& layer_type);

ModelConfig read_llama_config(const ConfigFile& file);
ModelConfig read_mistral_config(const ConfigFile& file);
ModelConfig read_qwen2_config(const ConfigFile& file);
ModelConfig read_qwen3_config(const ConfigFile& file);
ModelConfig read_gemma2_config(const ConfigFile& file);
ModelConfig read_gemma3_config(const ConfigFile& file);
/// The language model inside Gemma3ForConditionalGeneration.
ModelConfig read_gemma3_multimodal_config(const ConfigFile& file);

}  // namespace kvmesh::llm

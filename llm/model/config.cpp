#include "llm/model/config.hpp"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "llm/model/families/family.hpp"
#include "llm/model/folder_files.hpp"
#include "llm/model/gguf_config.hpp"

namespace kvmesh::llm {
namespace {

/// Adding a family is one file in families/ and one row here.
constexpr std::array kFamilies = {
    Family{"LlamaForCausalLM", read_llama_config},
    Family{"LLaMAForCausalLM", read_llama_config},
    Family{"MistralForCausalLM", read_mistral_config},
    Family{"Qwen2ForCausalLM", read_qwen2_config},
    Family{"Qwen3ForCausalLM", read_qwen3_config},
    Family{"Gemma2ForCausalLM", read_gemma2_config},
    Family{"Gemma3ForCausalLM", read_gemma3_config},
    Family{"Gemma3ForConditionalGeneration", read_gemma3_multimodal_config},
};

/// What must hold in every family, once the family has had its say.
void finish(const std::string& file, ModelConfig& config) {
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    fail_input(file, ": \"num_attention_heads\" ", config.num_attention_heads,
               " is not a multiple of \"num_key_value_heads\" ", config.num_key_value_heads);
  if (config.head_dim % 2 != 0) fail_input(file, ": \"head_dim\" is ", config.head_dim, "; RoPE needs an even number");
  if (config.attention_scale == 0) config.attention_scale = 1 / std::sqrt(static_cast<double>(config.head_dim));
}

const char* name_of(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::kNone: return "default";
    case RopeScaling::kLinear: return "linear";
    case RopeScaling::kDynamic: return "dynamic";
    case RopeScaling::kLlama3: return "llama3";
    case RopeScaling::kFactors: return "factors";
  }
  return "";
}

nlohmann::json scaling_fields(const RopeConfig& rope) {
  nlohmann::json fields = {{"rope_type", name_of(rope.scaling)}, {"factor", rope.factor}};
  if (rope.scaling == RopeScaling::kFactors) fields["factors"] = rope.factors;
  if (rope.original_length > 0) fields["original_max_position_embeddings"] = rope.original_length;
  if (rope.scaling != RopeScaling::kLlama3) return fields;
  fields["low_freq_factor"] = rope.low_freq_factor;
  fields["high_freq_factor"] = rope.high_freq_factor;
  return fields;
}

}  // namespace

std::string RopeConfig::scaling_json() const {
  return scaling == RopeScaling::kNone ? "" : scaling_fields(*this).dump();
}

std::string describe_position_limit(const ModelConfig& config) {
  const std::string field = cat("max_position_embeddings ", config.max_position_embeddings);
  if (config.position_limit == config.max_position_embeddings) return field;
  return cat(field, ", with its RoPE scaling ", config.position_limit, " positions");
}

ModelConfig read_config(const std::filesystem::path& model) {
  if (is_gguf(model)) {
    ModelConfig config = read_gguf_config(GgufFile::open(model));
    finish(model.string(), config);
    return config;
  }
  const std::filesystem::path path = model / "config.json";
  if (!is_there(path))
    fail_input(path.string(), ": is not there; a model folder holds config.json as it was downloaded");
  ConfigFile file(path.string(), read_json_object(path));
  const nlohmann::json& names = file.find("architectures");
  if (!names.is_array() || names.empty() || !names[0].is_string())
    fail_input(file.path(), ": \"architectures\" is missing; it names the model's class, as in [\"LlamaForCausalLM\"]");
  const auto architecture = names[0].get<std::string>();
  std::string known;
  for (const Family& family : kFamilies) {
    if (architecture == family.architecture) {
      ModelConfig config = family.read(file);
      config.architecture = architecture;
      finish(file.path(), config);
      return config;
    }
    known += cat(known.empty() ? "" : ", ", family.architecture);
  }
  fail_input(file.path(), ": architecture \"", architecture, "\" is not supported; supported: ", known);
}

namespace {

/// What ends of a kv edge must agree on beside the global base: the scaling and, where layers rotate differently, the
/// other base and which layers those are, since keys fit no layer of the other kind.
std::string rope_agreement(const ModelConfig& config) {
  if (config.ropes.size() == 1) return config.ropes.front().scaling_json();
  nlohmann::json fields = scaling_fields(config.ropes.front());
  fields["sliding_attention"] = scaling_fields(config.ropes[1]);
  fields["sliding_attention"]["rope_theta"] = config.ropes[1].theta;
  std::vector<std::size_t> local;
  for (std::size_t l = 0; l < config.layers.size(); ++l)
    if (config.layers[l].rope == 1) local.push_back(l);
  fields["sliding_layers"] = local;
  return fields.dump();
}

}  // namespace

wire::Manifest manifest_of(const ModelConfig& config) {
  wire::Manifest manifest;
  manifest.family = config.family;
  manifest.num_key_value_heads = config.num_key_value_heads;
  manifest.head_dim = config.head_dim;
  manifest.rope_theta = config.ropes.front().theta;
  manifest.rope_scaling = rope_agreement(config);
  for (const RopeConfig& rope : config.ropes)
    manifest.rope_depends_on_length = manifest.rope_depends_on_length || rope.depends_on_length();
  manifest.num_hidden_layers = config.num_hidden_layers;
  manifest.hidden_size = config.hidden_size;
  manifest.max_position_embeddings = config.max_position_embeddings;
  return manifest;
}

wire::Manifest read_manifest(const std::filesystem::path& model) { return manifest_of(read_config(model)); }

std::vector<std::int64_t> read_stop_tokens(const std::filesystem::path& model) {
  if (is_gguf(model)) return read_gguf_stop_tokens(GgufFile::open(model).metadata());
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::filesystem::path path = model / name;
    if (!is_there(path)) continue;
    const nlohmann::json json = read_json_object(path);
    if (!json.contains("eos_token_id") || json["eos_token_id"].is_null()) continue;
    const nlohmann::json& ids = json["eos_token_id"];
    std::vector<std::int64_t> stop;
    for (const nlohmann::json& id : ids.is_array() ? ids : nlohmann::json::array({ids})) {
      if (!id.is_number_integer()) fail_input(path.string(), ": \"eos_token_id\" has the wrong type: ", ids.dump());
      stop.push_back(id.get<std::int64_t>());
    }
    return stop;
  }
  return {};
}

std::int64_t kv_bytes_per_token(const ModelConfig& config, std::int64_t bytes_per_element) {
  return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * bytes_per_element;
}

}  // namespace kvmesh::llm

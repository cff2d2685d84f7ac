#include "agents/llm/config.hpp"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agents/llm/families/family.hpp"

namespace kvmesh::llm {
namespace {

/// Adding a family is one file in families/ and one row here.
constexpr std::array kFamilies = {
    Family{"LlamaForCausalLM", read_llama_config},
};

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) fail_input(path.string(), ": cannot be read; a model folder holds config.json as it was downloaded");
  nlohmann::json json = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) fail_input(path.string(), ": is not a JSON object");
  return json;
}

/// Both spellings: "rope_theta" with "rope_scaling", and the newer "rope_parameters" that holds the two.
RopeConfig read_rope(const ConfigFile& file) {
  const nlohmann::json& parameters = file.find("rope_parameters");
  nlohmann::json scaling = parameters.is_object() ? parameters : file.find("rope_scaling");
  RopeConfig rope;
  if (parameters.is_object() && parameters.contains("rope_theta") && parameters["rope_theta"].is_number()) {
    rope.theta = parameters["rope_theta"].get<double>();
  } else {
    rope.theta = file.get<double>("rope_theta");
  }
  if (rope.theta <= 0) fail_input(file.path(), ": \"rope_theta\" is ", rope.theta, "; it must be above 0");
  if (scaling.is_null()) return rope;
  if (!scaling.is_object()) fail_input(file.path(), ": \"rope_scaling\" has the wrong type: ", scaling.dump());
  std::string type = scaling.value("rope_type", scaling.value("type", std::string("default")));
  if (type != "default") fail_input(file.path(), ": RoPE scaling \"", type, "\" is not implemented");
  return rope;
}

}  // namespace

ModelConfig read_common_config(const ConfigFile& file) {
  ModelConfig config;
  config.vocab_size = file.positive("vocab_size");
  config.hidden_size = file.positive("hidden_size");
  config.intermediate_size = file.positive("intermediate_size");
  config.num_hidden_layers = file.positive("num_hidden_layers");
  config.num_attention_heads = file.positive("num_attention_heads");
  config.num_key_value_heads = file.get_or("num_key_value_heads", config.num_attention_heads);
  config.head_dim = file.get_or("head_dim", config.hidden_size / config.num_attention_heads);
  config.max_position_embeddings = file.positive("max_position_embeddings");
  config.rms_norm_eps = file.get<double>("rms_norm_eps");
  config.rope = read_rope(file);
  config.tie_word_embeddings = file.get_or("tie_word_embeddings", false);
  config.dtype = file.get_or<std::string>("dtype", file.get_or<std::string>("torch_dtype", ""));
  if (config.num_key_value_heads <= 0 || config.num_attention_heads % config.num_key_value_heads != 0)
    fail_input(file.path(), ": \"num_attention_heads\" ", config.num_attention_heads,
               " is not a multiple of \"num_key_value_heads\" ", config.num_key_value_heads);
  if (config.head_dim <= 0 || config.head_dim % 2 != 0)
    fail_input(file.path(), ": \"head_dim\" is ", config.head_dim, "; RoPE needs an even number above 0");
  if (!file.find("quantization_config").is_null())
    fail_input(file.path(), ": \"quantization_config\" is set; quantised weights are not supported");
  return config;
}

ModelConfig read_config(const std::filesystem::path& model_dir) {
  const std::filesystem::path path = model_dir / "config.json";
  ConfigFile file(path.string(), read_json(path));
  const nlohmann::json& names = file.find("architectures");
  if (!names.is_array() || names.empty() || !names[0].is_string())
    fail_input(file.path(), ": \"architectures\" is missing; it names the model's class, as in [\"LlamaForCausalLM\"]");
  const auto architecture = names[0].get<std::string>();
  std::string known;
  for (const Family& family : kFamilies) {
    if (architecture == family.architecture) {
      ModelConfig config = family.read(file);
      config.architecture = architecture;
      return config;
    }
    known += cat(known.empty() ? "" : ", ", family.architecture);
  }
  fail_input(file.path(), ": architecture \"", architecture, "\" is not supported; supported: ", known);
}

wire::Manifest manifest_of(const ModelConfig& config) {
  wire::Manifest manifest;
  manifest.family = config.family;
  manifest.num_key_value_heads = config.num_key_value_heads;
  manifest.head_dim = config.head_dim;
  manifest.rope_theta = config.rope.theta;
  manifest.rope_scaling = config.rope.scaling;
  manifest.rope_depends_on_length = config.rope.depends_on_length;
  manifest.num_hidden_layers = config.num_hidden_layers;
  manifest.hidden_size = config.hidden_size;
  manifest.max_position_embeddings = config.max_position_embeddings;
  return manifest;
}

wire::Manifest read_manifest(const std::filesystem::path& model_dir) { return manifest_of(read_config(model_dir)); }

std::vector<std::int64_t> read_stop_tokens(const std::filesystem::path& model_dir) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::filesystem::path path = model_dir / name;
    if (!std::filesystem::exists(path)) continue;
    const nlohmann::json json = read_json(path);
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

#include "llm/text/template_sources.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "kvcodec/wire/json_text.hpp"
#include "llm/model/folder_files.hpp"
#include "llm/model/gguf.hpp"
#include "llm/text/gguf_tokens.hpp"

namespace kvmesh::llm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemplateFile = "chat_template.jinja";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kLegacyFile = "chat_template.json";  ///< of processors: Gemma 3, Qwen2-VL
constexpr const char* kMoreTemplates = "additional_chat_templates";
constexpr std::string_view kGgufTemplate = "tokenizer.chat_template";

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    fail_input(path.string(), ": is not a file", error ? cat(": ", error.message()) : "");
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream.is_open() || stream.bad()) fail_input(path.string(), ": cannot be read");
  return text;
}

/// The object in a file; empty where there is no file.
nlohmann::json read_object(const fs::path& path) {
  if (!is_there(path)) return nlohmann::json::object();
  // "model_max_length" is often a number that 64 bits cannot hold, and nobody here reads it.
  nlohmann::json object = wire::parse_json(read_file(path), {.file = path.string()}, {.big_numbers_as_text = true});
  if (!object.is_object()) fail_input(path.string(), ": expected an object");
  return object;
}

/// What "chat_template" holds: one template, or a list of {"name", "template"}.
TemplateSources sources_in(const nlohmann::json& object, const fs::path& path) {
  TemplateSources sources;
  const auto found = object.find("chat_template");
  if (found == object.end() || found->is_null()) return sources;
  const std::string place = cat(path.string(), ": chat_template");
  if (found->is_string()) {
    sources[kDefaultTemplate] = {place, found->get<std::string>()};
    return sources;
  }
  if (!found->is_array()) fail_input(place, ": expected a string or a list, found ", found->type_name());
  for (const auto& entry : *found) {
    const bool named = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                       entry.contains("template") && entry["template"].is_string();
    if (!named) fail_input(place, ": expected a list of {\"name\", \"template\"}, found ", entry.type_name());
    const std::string name = entry["name"].get<std::string>();
    sources[name] = {cat(place, " \"", name, "\""), entry["template"].get<std::string>()};
  }
  return sources;
}

/// Files go before the config's entry, as in transformers.
TemplateSources find_in_folder(const fs::path& model_dir) {
  TemplateSources sources;
  const fs::path file = model_dir / kTemplateFile;
  if (is_there(file)) sources[kDefaultTemplate] = {file.string(), read_file(file)};
  std::error_code error;
  if (fs::is_directory(model_dir / kMoreTemplates, error)) {
    for (const auto& entry : fs::directory_iterator(model_dir / kMoreTemplates, error)) {
      if (entry.path().extension() != ".jinja") continue;
      sources[entry.path().stem().string()] = {entry.path().string(), read_file(entry.path())};
    }
  }
  for (const char* name : {kConfigFile, kLegacyFile}) {
    if (sources.empty()) sources = sources_in(read_object(model_dir / name), model_dir / name);
  }
  return sources;
}

/// "bos_token" and its like: strings, or objects with the string as their content.
void add_special_tokens(const nlohmann::json& object, std::map<std::string, std::string>& tokens) {
  for (const auto& [key, value] : object.items()) {
    if (!key.ends_with("_token")) continue;
    if (value.is_string()) tokens.emplace(key, value.get<std::string>());
    if (value.is_object() && value.contains("content") && value["content"].is_string()) {
      tokens.emplace(key, value["content"].get<std::string>());
    }
  }
}

std::map<std::string, std::string> tokens_of_folder(const fs::path& model_dir) {
  std::map<std::string, std::string> tokens;
  const nlohmann::json config = read_object(model_dir / kConfigFile);
  add_special_tokens(config, tokens);
  if (config.contains("extra_special_tokens")) add_special_tokens(config["extra_special_tokens"], tokens);
  add_special_tokens(read_object(model_dir / "special_tokens_map.json"), tokens);
  return tokens;
}

/// The key itself holds the default template, and the key with a dot and a name behind it one of that name.
TemplateSources find_in_gguf(const fs::path& file) {
  const GgufFile gguf = GgufFile::open(file);
  TemplateSources sources;
  for (const auto& [key, value] : gguf.metadata().values()) {
    const bool named = key.size() > kGgufTemplate.size() + 1 && key[kGgufTemplate.size()] == '.';
    if (!key.starts_with(kGgufTemplate) || (!named && key != kGgufTemplate)) continue;
    const std::string name = named ? key.substr(kGgufTemplate.size() + 1) : kDefaultTemplate;
    sources[name] = {cat(file.string(), ": ", key), std::string(gguf.metadata().text(key))};
  }
  return sources;
}

}  // namespace

TemplateSources find_templates(const fs::path& model) {
  return is_gguf(model) ? find_in_gguf(model) : find_in_folder(model);
}

std::string missing_templates(const fs::path& model) {
  if (is_gguf(model)) return cat("\"", kGgufTemplate, "\" is missing");
  return cat("neither ", kTemplateFile, " nor \"chat_template\" in ", kConfigFile);
}

std::map<std::string, std::string> find_special_tokens(const fs::path& model) {
  return is_gguf(model) ? read_gguf_tokens(GgufFile::open(model).metadata()).spellings : tokens_of_folder(model);
}

}  // namespace kvmesh::llm

#include "orchestrator/model_path.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "orchestrator/detail/model_stores.hpp"

namespace kvmesh::orchestrator {
namespace {

namespace fs = std::filesystem;

/// "…-00002-of-00003.gguf": a file that is read with the first of its model.
bool is_later_part(const std::string& name) {
  constexpr std::size_t kEnding = std::string_view("-00001-of-00003.gguf").size();
  if (name.size() < kEnding) return false;
  const std::string ending = name.substr(name.size() - kEnding);
  return ending[0] == '-' && ending.substr(6, 4) == "-of-" && ending.substr(1, 5) != "00001";
}

/// The models in GGUF files of `folder` and the folders in it, relative to it. Not those that turn images into vectors.
std::vector<std::string> gguf_models_in(const fs::path& folder) {
  std::vector<std::string> models;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (entry.depth() >= 1) entry.disable_recursion_pending();
    if (!name.ends_with(".gguf") || is_later_part(name) || name.starts_with("mmproj")) continue;
    models.push_back(entry->path().lexically_relative(folder).string());
  }
  std::sort(models.begin(), models.end());
  return models;
}

bool has_safetensors(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".safetensors") return true;
  return false;
}

/// A folder with safetensors stands for itself, and one with a single GGUF model for that, whatever else is there:
/// repositories of GGUF files often have the config.json of the model that they were made from. `named` is how a person
/// names the folder, and then `separator` a file in it.
fs::path model_in(const fs::path& folder, const std::string& named, const std::string& separator) {
  if (has_safetensors(folder)) return folder;
  const std::vector<std::string> models = gguf_models_in(folder);
  if (models.empty()) return folder;  // its reader says what is missing
  if (models.size() == 1) return folder / models.front();
  std::string choices;
  for (const std::string& model : models) choices += cat(choices.empty() ? "" : ", ", named, separator, model);
  fail_input(named, " has ", models.size(), " models in GGUF files; name one of them: ", choices);
}

fs::path model_of_repository(const std::string& text) {
  const detail::HubModel named = detail::parse_hub_model(text);
  const fs::path folder = detail::find_snapshot(named);
  if (named.file.empty()) return model_in(folder, text, ":");
  if (why_not_file(folder / named.file).empty()) return folder / named.file;
  fail_input(text, ": ", (folder / named.file).string(), " is not there; fetch it: ", detail::fetch_command(named));
}

}  // namespace

fs::path resolve_model(const std::string& text, const fs::path& base) {
  if (text.starts_with(detail::kHub)) return model_of_repository(text);
  if (text.starts_with(detail::kOllama)) return detail::find_ollama_blob(text);
  fs::path path = text;
  if (!base.empty()) path = (base / path).lexically_normal();
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::directory) return model_in(path, path.string(), "/");
  if (type == fs::file_type::not_found)
    fail_input(path.string(), " is not there; name a checkpoint folder, a .gguf file, hf:ORG/NAME or ollama:NAME");
  if (error) fail_input(path.string(), " cannot be read (", error.message(), "); name a folder or a file that can");
  return path;
}

}  // namespace kvmesh::orchestrator

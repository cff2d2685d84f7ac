#include "orchestrator/detail/model_stores.hpp"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "kvcodec/wire/json_text.hpp"

namespace kvmesh::orchestrator::detail {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOllamaModel = "application/vnd.ollama.image.model";
constexpr const char* kOllamaAdapter = "application/vnd.ollama.image.adapter";

/// A folder that the environment names; none where it does not, or names nothing.
std::optional<fs::path> folder_from(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return std::nullopt;
  const std::string_view text = value;
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home != nullptr) return fs::path(home) / text.substr(2);
  return fs::path(text);
}

fs::path home() { return folder_from("HOME").value_or("/"); }

/// Parts of letters, digits, '_', '-' and '.' with '/' between them, none of dots alone: a path that goes down only.
bool leads_down(std::string_view text) {
  const auto is_fit = [](unsigned char c) { return (c < 0x80 && std::isalnum(c)) || c == '_' || c == '-' || c == '.'; };
  for (;;) {
    const std::size_t end = text.find('/');
    const std::string_view part = text.substr(0, end);
    if (part.find_first_not_of('.') == std::string_view::npos || !std::all_of(part.begin(), part.end(), is_fit))
      return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

/// What stands behind the first `separator` of `text`, which is cut there.
std::string cut_off(std::string& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos) return "";
  const std::string rest = text.substr(at + 1);
  text.resize(at);
  return rest;
}

fs::path hub_cache() {
  if (const auto folder = folder_from("HF_HUB_CACHE")) return *folder;
  if (const auto folder = folder_from("HUGGINGFACE_HUB_CACHE")) return *folder;
  if (const auto folder = folder_from("HF_HOME")) return *folder / "hub";
  return folder_from("XDG_CACHE_HOME").value_or(home() / ".cache") / "huggingface" / "hub";
}

std::vector<fs::path> ollama_stores() {
  if (const auto folder = folder_from("OLLAMA_MODELS")) return {*folder};
  return {home() / ".ollama" / "models", "/usr/share/ollama/.ollama/models"};
}

/// NAME[:TAG] in the form that manifests are filed under: registry.ollama.ai/library/NAME/TAG.
fs::path manifest_of(const std::string& text) {
  std::string name = text.substr(std::string_view(kOllama).size());
  // A host may have a port: the tag is behind the last slash.
  std::string tag = "latest";
  const std::size_t colon = name.find(':', name.rfind('/') == std::string::npos ? 0 : name.rfind('/'));
  if (colon != std::string::npos) {
    tag = name.substr(colon + 1);
    name.resize(colon);
  }
  if (!leads_down(name) || !leads_down(tag) || tag.find('/') != std::string::npos ||
      std::count(name.begin(), name.end(), '/') > 2)
    fail_input(text, ": is no name of an Ollama model; write ollama:NAME, ollama:NAME:TAG or ollama:OWNER/NAME:TAG");
  const auto slashes = std::count(name.begin(), name.end(), '/');
  const fs::path registry = slashes == 2 ? "" : slashes == 1 ? "registry.ollama.ai" : "registry.ollama.ai/library";
  return fs::path("manifests") / registry / name / tag;
}

/// The digest of the layer that is the model. Throws where there is none, or where it is not all of the model.
std::string model_digest(const std::string& text, const fs::path& manifest) {
  const nlohmann::json json = wire::parse_json(read_text(manifest, cat(text, ": the manifest"), "pull the model again"),
                                               {.file = manifest.string()});
  std::string digest;
  const nlohmann::json layers =
      json.is_object() ? json.value("layers", nlohmann::json::array()) : nlohmann::json::array();
  for (const nlohmann::json& layer : layers) {
    if (!layer.is_object() || !layer.contains("mediaType") || !layer.contains("digest")) continue;
    if (layer["mediaType"] == kOllamaAdapter)
      fail_input(text, ": has an adapter (LoRA), which is not applied; take a model without one");
    if (layer["mediaType"] != kOllamaModel || !layer["digest"].is_string()) continue;
    if (!digest.empty()) fail_input(text, ": ", manifest.string(), " names two models; take a model that is one file");
    digest = layer["digest"].get<std::string>();
  }
  constexpr std::size_t kPrefix = std::string_view("sha256:").size();
  if (!digest.starts_with("sha256:") || !leads_down(digest.substr(kPrefix)) || digest.find('/') != std::string::npos)
    fail_input(text, ": ", manifest.string(), " names no model in a file; it may be one that runs in the cloud");
  return digest.replace(kPrefix - 1, 1, "-");
}

}  // namespace

HubModel parse_hub_model(const std::string& text) {
  HubModel model;
  model.repository = text.substr(std::string_view(kHub).size());
  model.file = cut_off(model.repository, ':');
  model.revision = cut_off(model.repository, '@');
  const auto slashes = std::count(model.repository.begin(), model.repository.end(), '/');
  if (!leads_down(model.repository) || slashes > 1 || (!model.revision.empty() && !leads_down(model.revision)) ||
      (!model.file.empty() && !leads_down(model.file)))
    fail_input(text,
               ": is no name of a Hugging Face repository; write hf:ORG/NAME, hf:ORG/NAME@REVISION, or "
               "hf:ORG/NAME:FILE.gguf for one of several GGUF files");
  return model;
}

std::string fetch_command(const HubModel& model) {
  return cat("hf download ", model.repository, model.file.empty() ? "" : " ", model.file,
             model.revision.empty() ? "" : " --revision ", model.revision);
}

fs::path find_snapshot(const HubModel& model) {
  const fs::path cache = hub_cache();
  std::string folder = "models--";
  for (const char c : model.repository) folder += c == '/' ? std::string("--") : std::string(1, c);
  const fs::path repository = cache / folder;
  const std::string revision = model.revision.empty() ? "main" : model.revision;
  std::string commit = revision;
  if (why_not_file(repository / "refs" / revision).empty()) {
    commit = read_text(repository / "refs" / revision, "the reference", "fetch the model again");
    commit.erase(commit.find_last_not_of(" \r\n") + 1);
  }
  const fs::path snapshot = repository / "snapshots" / commit;
  if (leads_down(commit) && why_not_folder(snapshot).empty()) return snapshot;
  fail_input(kHub, model.repository, model.revision.empty() ? "" : "@", model.revision,
             " is not in the Hugging Face cache ", cache.string(), "; fetch it: ", fetch_command(model));
}

fs::path find_ollama_blob(const std::string& text) {
  const fs::path manifest = manifest_of(text);
  const std::string pull = cat("ollama pull ", text.substr(std::string_view(kOllama).size()));
  std::string looked;
  for (const fs::path& store : ollama_stores()) {
    const std::string why = why_not_file(store / manifest);
    if (why.empty()) {
      const fs::path blob = store / "blobs" / model_digest(text, store / manifest);
      if (why_not_file(blob).empty()) return blob;
      fail_input(text, ": ", blob.string(), " is not there, and the manifest names it; fetch it again: ", pull);
    }
    looked += cat(looked.empty() ? "" : " or ", store.string(), why == "is not there" ? "" : cat(", which ", why));
  }
  fail_input(text, " is not in Ollama's store ", looked, "; fetch it: ", pull);
}

}  // namespace kvmesh::orchestrator::detail

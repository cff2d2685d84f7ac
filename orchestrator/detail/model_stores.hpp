#pragma once

#include <filesystem>
#include <string>

/// Where other programs of this user keep the models that they fetched.
namespace kvmesh::orchestrator::detail {

inline constexpr const char* kHub = "hf:";
inline constexpr const char* kOllama = "ollama:";

/// hf:ORG/NAME[@REVISION][:FILE]
struct HubModel {
  std::string repository;
  std::string revision;  ///< empty: main
  std::string file;      ///< empty: whatever the repository holds
};

/// Throws Error{kFixInput} for a text that is none, or that would lead out of the cache.
HubModel parse_hub_model(const std::string& text);

/// "hf download ORG/NAME --revision REVISION FILE"
std::string fetch_command(const HubModel& model);

/// The folder of the repository's files at the revision. Throws Error{kFixInput} where the cache does not have it.
std::filesystem::path find_snapshot(const HubModel& model);

/// The GGUF file of "ollama:NAME[:TAG]". Throws Error{kFixInput} where no store has it whole, and for a model with an
/// adapter.
std::filesystem::path find_ollama_blob(const std::string& text);

}  // namespace kvmesh::orchestrator::detail

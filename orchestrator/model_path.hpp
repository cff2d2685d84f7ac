#pragma once

#include <filesystem>
#include <string>

namespace kvmesh::orchestrator {

/// How a model may be named, for --help and messages.
inline constexpr const char* kModelPathHelp =
    "A checkpoint folder, a .gguf file, hf:ORG/NAME[@REVISION][:FILE.gguf] or ollama:NAME[:TAG]";

/// Where the model lies that a person names as `text`:
/// - a folder in Hugging Face layout, or one with one model in GGUF files; relative to `base`
/// - a .gguf file; of a split one the first part; relative to `base`
/// - hf:ORG/NAME[@REVISION][:FILE.gguf]: in the user's Hugging Face cache (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME,
///   ~/.cache/huggingface/hub), as huggingface_hub lays it out; REVISION is a branch, a tag or a commit, else main;
///   FILE chooses among several models in GGUF files
/// - ollama:NAME[:TAG]: in Ollama's store (OLLAMA_MODELS, ~/.ollama/models, /usr/share/ollama/.ollama/models)
/// Nothing is downloaded and nothing of the model is read. The result is absolute where `base` is. Throws
/// Error{kFixInput} that says where it looked, and the command that fetches a model which is not there.
std::filesystem::path resolve_model(const std::string& text, const std::filesystem::path& base = {});

}  // namespace kvmesh::orchestrator

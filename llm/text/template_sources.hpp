#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace kvmesh::llm {

/// A template's text and where it stands, for messages.
struct TemplateSource {
  std::string place;
  std::string text;
};
using TemplateSources = std::map<std::string, TemplateSource>;  ///< by the template's name

inline constexpr const char* kDefaultTemplate = "default";
inline constexpr const char* kToolUseTemplate = "tool_use";  ///< what transformers takes when there are tools

/// The chat templates of a folder or a GGUF file, in whatever place it has them; none where it has none. Throws
/// Error{kFixInput} that names the place of one that cannot be read.
TemplateSources find_templates(const std::filesystem::path& model);

/// The places where a model of this kind would have a template: "neither … nor …".
std::string missing_templates(const std::filesystem::path& model);

/// "bos_token" and its like with their spellings.
std::map<std::string, std::string> find_special_tokens(const std::filesystem::path& model);

}  // namespace kvmesh::llm

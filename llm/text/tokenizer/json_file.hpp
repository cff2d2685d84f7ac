#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "llm/text/tokenizer/description.hpp"

namespace kvmesh::llm {

/// A JSON file of a checkpoint folder, read strictly. Owns the document that its Description borrows.
class JsonFile {
 public:
  /// Throws Error{kFixInput} that names the file, and line and column where its text is not JSON; a pointer that git
  /// LFS left in the file's place is told apart.
  explicit JsonFile(const std::filesystem::path& path);

  const nlohmann::json& document() const { return document_; }
  Description root() const { return Description(document_, path_); }

 private:
  std::string path_;
  nlohmann::json document_;
};

}  // namespace kvmesh::llm

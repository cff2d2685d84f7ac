#pragma once

#include <filesystem>

namespace kvmesh::llm {

/// `model_dir` has no tokenizer.json. Throws Error{kFixInput} that says which other tokenizer it has, and how to make a
/// tokenizer.json of that.
[[noreturn]] void fail_without_tokenizer_json(const std::filesystem::path& model_dir);

}  // namespace kvmesh::llm

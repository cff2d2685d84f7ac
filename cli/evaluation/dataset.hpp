#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// One question with its answers. `record` is what the mesh gets: id, instruction, question, context, and for several
/// readers context_1, context_2, ...
struct EvalItem {
  std::string id;
  std::string task;
  nlohmann::json record;
  std::vector<std::string> answers;
};

struct Dataset {
  std::vector<EvalItem> items;        ///< scored, in file order
  std::vector<EvalItem> calibration;  ///< measured on, never scored
  bool calibration_taken_from_items = false;
  std::size_t contexts = 1;           ///< most contexts of any item
};

/// Every item of one .jsonl file. Throws Error{kFixInput} that names file, line and field.
std::vector<EvalItem> read_items(const std::filesystem::path& file);

/// Reads a .jsonl file, or a folder: its calibration.jsonl only calibrates, every other .jsonl is scored. Without one
/// the first record of each task calibrates and is left out of the score. At most `limit` scored items of each task
/// (0: all). Items are {"context" | "contexts", "question", "answer" | "answers", "task"?, "instruction"?, "id"?}, or the
/// released code's {"prompt_A", "prompt_B", "y" | "label" | "answer" | "country"}. Throws as
/// read_items().
Dataset read_dataset(const std::filesystem::path& path, std::size_t limit);

}  // namespace kvmesh::cli

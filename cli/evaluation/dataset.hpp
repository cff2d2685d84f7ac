#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// One question with its answers. `record` is what the mesh gets: id, instruction, question, context (all of them), and
/// context_1, context_2, ..., one for each reader.
struct EvalItem {
  std::string id;
  std::string task;
  nlohmann::json record;
  std::vector<std::string> answers;
  std::size_t contexts = 1;
};

/// context_1, context_2, ... of `record`, and context as all of them joined.
void set_contexts(nlohmann::json& record, const std::vector<std::string>& contexts);
std::vector<std::string> contexts_of(const EvalItem& item);

/// Items with the same number of contexts: they go through one mesh, with a reader for each context.
struct DatasetGroup {
  std::size_t contexts = 1;
  std::vector<EvalItem> items;        ///< scored, in file order
  std::vector<EvalItem> calibration;  ///< measured on, never scored
  bool calibration_from_items = false;
};

struct DatasetOptions {
  std::size_t limit = 0;    ///< scored items of each task at most; 0: all
  std::string instruction;  ///< where the data give none
  std::size_t senders = 1;  ///< above 1: every item must have as many contexts
};

/// The paper's instruction for question answering.
extern const char* const kInstruction;

/// Every item of one .jsonl file. Throws Error{kFixInput} that names file, line and field.
std::vector<EvalItem> read_items(const std::filesystem::path& file, const std::string& instruction);

/// Reads a .jsonl file, or a folder: its calibration.jsonl only calibrates, every other .jsonl is scored. Where there
/// is none, or it has no item with as many contexts, the first record of each task calibrates and is left out of the
/// score. Items are {"context" | "contexts", "question", "answer" | "answers", "task"?, "instruction"?, "id"?}, or the
/// released code's {"prompt_A", "prompt_B", "y" | "label" | "answer" | "country"}. Groups by number of contexts, fewest
/// first. Throws as read_items().
std::vector<DatasetGroup> read_dataset(const std::filesystem::path& path, const DatasetOptions& options);

}  // namespace kvmesh::cli

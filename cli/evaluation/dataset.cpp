#include "cli/evaluation/dataset.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "base/error.hpp"

namespace kvmesh::cli {
namespace {

/// The paper's instruction for question answering, where the data give none.
constexpr const char* kInstruction =
    "Directly answer the question based on the context passage, no explanation is needed.";

std::string text_of(const nlohmann::json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  fail_input(where, " must be a text or a number, not ", value.dump());
}

/// The first of `names` that the line has.
std::string find_field(const nlohmann::json& line, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (line.contains(name)) return name;
  return "";
}

std::vector<std::string> texts_of(const nlohmann::json& line, const std::vector<std::string>& names,
                                  const std::string& where) {
  const std::string name = find_field(line, names);
  if (name.empty()) {
    std::string all;
    for (const std::string& each : names) all += (all.empty() ? "\"" : " or \"") + each + "\"";
    fail_input(where, ": ", all, " is missing");
  }
  const std::string field = cat(where, ": \"", name, "\"");
  if (!line[name].is_array()) return {text_of(line[name], field)};
  std::vector<std::string> texts;
  for (const nlohmann::json& each : line[name]) texts.push_back(text_of(each, field));
  if (texts.empty()) fail_input(field, " is an empty list");
  return texts;
}

EvalItem read_item(const nlohmann::json& line, const std::string& where, const std::string& file_task,
                   std::size_t number) {
  EvalItem item;
  const std::vector<std::string> contexts = texts_of(line, {"contexts", "context", "prompt_A"}, where);
  item.task = line.contains("task") ? text_of(line["task"], where + ": \"task\"") : file_task;
  item.id = line.contains("id") ? text_of(line["id"], where + ": \"id\"") : cat(item.task, "-", number);
  item.answers = texts_of(line, {"answers", "answer", "y", "label", "country"}, where);
  std::string joined;
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    item.record[cat("context_", i + 1)] = contexts[i];
    joined += (i ? " " : "") + contexts[i];
  }
  item.record["id"] = item.id;
  item.record["context"] = joined;
  item.record["question"] = texts_of(line, {"question", "prompt_B"}, where).front();
  item.record["instruction"] =
      line.contains("instruction") ? text_of(line["instruction"], where + ": \"instruction\"") : kInstruction;
  return item;
}

std::vector<std::filesystem::path> scored_files(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) fail_input(path.string(), ": does not exist");
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".jsonl" && entry.path().filename() != "calibration.jsonl")
      files.push_back(entry.path());
  if (files.empty()) fail_input(path.string(), ": holds no .jsonl file to score");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<EvalItem> read_items(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) fail_input(path.string(), ": cannot be read");
  std::vector<EvalItem> items;
  std::size_t number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = cat(path.string(), ":", number);
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) fail_input(where, ": is not a JSON object");
    items.push_back(read_item(line, where, path.stem().string(), number));
  }
  if (items.empty()) fail_input(path.string(), ": holds no records");
  return items;
}

Dataset read_dataset(const std::filesystem::path& path, std::size_t limit) {
  Dataset data;
  std::vector<EvalItem> all;
  for (const auto& file : scored_files(path))
    for (EvalItem& item : read_items(file)) all.push_back(std::move(item));
  const auto calibration = path / "calibration.jsonl";
  data.calibration_taken_from_items = !std::filesystem::exists(calibration);
  if (!data.calibration_taken_from_items) data.calibration = read_items(calibration);
  std::set<std::string> calibrated;
  std::map<std::string, std::size_t> taken;
  for (EvalItem& item : all) {
    if (data.calibration_taken_from_items && calibrated.insert(item.task).second) {
      data.calibration.push_back(std::move(item));
      continue;
    }
    if (limit > 0 && taken[item.task]++ >= limit) continue;
    while (item.record.contains(cat("context_", data.contexts + 1))) ++data.contexts;
    data.items.push_back(std::move(item));
  }
  if (data.items.empty()) fail_input(path.string(), ": no record is left to score after one a task for calibration");
  return data;
}

}  // namespace kvmesh::cli

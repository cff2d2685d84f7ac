#include "cli/evaluation/dataset.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <system_error>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "kvcodec/wire/json_text.hpp"

namespace kvmesh::cli {

const char* const kInstruction = "Directly answer the question based on the context passage, no explanation is needed.";

namespace {

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
  if (!line.at(name).is_array()) return {text_of(line.at(name), field)};
  std::vector<std::string> texts;
  for (const nlohmann::json& each : line.at(name)) texts.push_back(text_of(each, field));
  if (texts.empty()) fail_input(field, " is an empty list");
  return texts;
}

EvalItem read_item(const nlohmann::json& line, const std::string& where, const std::string& file_task,
                   std::size_t number, const std::string& instruction) {
  EvalItem item;
  const std::vector<std::string> contexts = texts_of(line, {"contexts", "context", "prompt_A"}, where);
  item.contexts = contexts.size();
  item.task = line.contains("task") ? text_of(line.at("task"), where + ": \"task\"") : file_task;
  item.id = line.contains("id") ? text_of(line.at("id"), where + ": \"id\"") : cat(item.task, "-", number);
  item.answers = texts_of(line, {"answers", "answer", "y", "label", "country"}, where);
  set_contexts(item.record, contexts);
  item.record["id"] = item.id;
  item.record["question"] = texts_of(line, {"question", "prompt_B"}, where).front();
  item.record["instruction"] =
      line.contains("instruction") ? text_of(line.at("instruction"), where + ": \"instruction\"") : instruction;
  return item;
}

std::vector<std::filesystem::path> scored_files(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error))
    if (entry.path().extension() == ".jsonl" && entry.path().filename() != "calibration.jsonl")
      files.push_back(entry.path());
  if (files.empty()) fail_input(path.string(), ": holds no .jsonl file to score");
  std::sort(files.begin(), files.end());
  return files;
}

/// A record's id stands once in a file of records; files of different tasks may use the same.
void make_ids_unique(std::vector<EvalItem>& items) {
  std::set<std::string> taken;
  for (EvalItem& item : items) {
    const std::string id = item.id;
    for (int copy = 2; !taken.insert(item.id).second; ++copy)
      item.id = cat(item.task, "/", id, copy > 2 ? cat("-", copy) : "");
    item.record["id"] = item.id;
  }
}

DatasetGroup make_group(std::size_t contexts, std::vector<EvalItem> items, const std::vector<EvalItem>& calibration,
                        std::size_t limit) {
  DatasetGroup group{.contexts = contexts, .items = {}, .calibration = {}, .calibration_from_items = false};
  for (const EvalItem& item : calibration)
    if (item.contexts == contexts) group.calibration.push_back(item);
  group.calibration_from_items = group.calibration.empty();
  std::set<std::string> calibrated;
  std::map<std::string, std::size_t> taken;
  for (EvalItem& item : items) {
    if (group.calibration_from_items && calibrated.insert(item.task).second)
      group.calibration.push_back(std::move(item));
    else if (limit == 0 || taken[item.task]++ < limit) group.items.push_back(std::move(item));
  }
  make_ids_unique(group.items);
  make_ids_unique(group.calibration);
  return group;
}

}  // namespace

void set_contexts(nlohmann::json& record, const std::vector<std::string>& contexts) {
  std::string joined;
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    record[cat("context_", i + 1)] = contexts[i];
    joined += (i ? " " : "") + contexts[i];
  }
  record["context"] = joined;
}

std::vector<std::string> contexts_of(const EvalItem& item) {
  std::vector<std::string> contexts;
  for (std::size_t i = 1; i <= item.contexts; ++i)
    contexts.push_back(item.record[cat("context_", i)].get<std::string>());
  return contexts;
}

std::vector<EvalItem> read_items(const std::filesystem::path& path, const std::string& instruction) {
  std::istringstream in(read_text(path, "the data", "name a JSON Lines file or a folder of them"));
  std::vector<EvalItem> items;
  std::size_t number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = cat(path.string(), ":", number);
    const nlohmann::json line = wire::parse_json(text, {.file = path.string(), .line = static_cast<int>(number)},
                                                 {.big_numbers_as_text = true});
    if (!line.is_object()) fail_input(where, ": is not a JSON object; write one a line");
    items.push_back(read_item(line, where, path.stem().string(), number, instruction));
  }
  if (items.empty()) fail_input(path.string(), ": holds no records; write one JSON object a line");
  return items;
}

std::vector<DatasetGroup> read_dataset(const std::filesystem::path& path, const DatasetOptions& options) {
  std::map<std::size_t, std::vector<EvalItem>> by_contexts;
  for (const auto& file : scored_files(path)) {
    for (EvalItem& item : read_items(file, options.instruction)) {
      if (options.senders > 1 && item.contexts != options.senders)
        fail_input(file.string(), ": item ", item.id, " has ", item.contexts, " context(s), and there are ",
                   options.senders, " senders; give as many senders, or one that reads them all");
      by_contexts[item.contexts].push_back(std::move(item));
    }
  }
  std::vector<EvalItem> calibration;
  std::error_code error;
  if (const auto file = path / "calibration.jsonl"; std::filesystem::exists(file, error))
    calibration = read_items(file, options.instruction);
  std::vector<DatasetGroup> groups;
  for (auto& [contexts, items] : by_contexts) {
    groups.push_back(make_group(contexts, std::move(items), calibration, options.limit));
    if (groups.back().items.empty())
      fail_input(path.string(), ": no record is left to score after one a task for calibration; add records, or a ",
                 "calibration.jsonl beside the files of a folder");
  }
  return groups;
}

}  // namespace kvmesh::cli

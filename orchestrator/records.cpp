#include "orchestrator/records.hpp"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.hpp"

namespace kvmesh::orchestrator {
namespace {

using nlohmann::json;

json parse_line(const std::string& line, const std::string& place) {
  json record;
  try {
    record = json::parse(line);
  } catch (const json::parse_error& error) {
    fail_input(place, ": not JSON (column ", error.byte, "); write one JSON object a line");
  }
  if (!record.is_object()) {
    fail_input(place, ": a record is an object, this is of type ", record.type_name(), "; write {\"field\": ...}");
  }
  return record;
}

std::string id_of(const json& record, int line, const std::string& place) {
  const auto id = record.find("id");
  if (id == record.end()) return cat("record-", line);
  if (id->is_number()) return id->dump();
  if (id->is_string()) return id->get<std::string>();
  fail_input(place, ": \"id\" is of type ", id->type_name(), "; make it a string");
}

}  // namespace

std::vector<json> read_records(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in || std::filesystem::is_directory(file)) {
    fail_input("cannot read the records in ", file.string(), "; name a JSON Lines file");
  }
  std::vector<json> records;
  std::map<std::string, int> line_of_id;
  std::string text;
  for (int line = 1; std::getline(in, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = cat(file.string(), ':', line);
    json record = parse_line(text, place);
    const std::string id = id_of(record, line, place);
    if (const auto [first, inserted] = line_of_id.emplace(id, line); !inserted) {
      fail_input(place, ": id \"", id, "\" is taken by line ", first->second, "; give each record its own");
    }
    record["id"] = id;
    records.push_back(std::move(record));
  }
  if (records.empty()) fail_input(file.string(), " holds no record; write one JSON object a line");
  return records;
}

}  // namespace kvmesh::orchestrator

#include "orchestrator/records.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "kvcodec/wire/json_text.hpp"

namespace kvmesh::orchestrator {
namespace {

using nlohmann::json;

json parse_line(std::string_view text, const std::filesystem::path& file, int line) {
  // A number that a record holds is text to a prompt: no digit of it may change.
  json record = wire::parse_json(text, {.file = file.string(), .line = line}, {.big_numbers_as_text = true});
  if (!record.is_object())
    fail_input(file.string(), ':', line, ": a record is an object, this is of type ", record.type_name(),
               "; write {\"field\": ...}");
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

std::string Records::place(std::size_t index) const { return cat(file.string(), ':', lines.at(index)); }

Records read_records(const std::filesystem::path& file) {
  const std::string text = read_text(file, "the file of records", "name a JSON Lines file");
  Records records{.file = file, .all = {}, .lines = {}};
  std::map<std::string, int> line_of_id;
  std::string_view rest = text;
  for (int line = 1; !rest.empty(); ++line) {
    const std::string_view own = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(own.size() + 1, rest.size()));
    if (own.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = cat(file.string(), ':', line);
    json record = parse_line(own, file, line);
    const std::string id = id_of(record, line, place);
    if (const auto [first, inserted] = line_of_id.emplace(id, line); !inserted)
      fail_input(place, ": id \"", id, "\" is taken by line ", first->second, "; give each record its own");
    record["id"] = id;
    records.all.push_back(std::move(record));
    records.lines.push_back(line);
  }
  if (records.all.empty()) fail_input(file.string(), " holds no record; write one JSON object a line");
  return records;
}

}  // namespace kvmesh::orchestrator

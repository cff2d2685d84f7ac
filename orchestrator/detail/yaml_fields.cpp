#include "orchestrator/detail/yaml_fields.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "orchestrator/detail/newer_keys.hpp"
#include "orchestrator/topology_check.hpp"

namespace kvmesh::orchestrator::detail {
namespace {

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return cat("\"", node.Scalar(), "\"");
  return "empty";
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

YamlValue::YamlValue(std::string file, std::string what, int line, YAML::Node node)
    : file_(std::move(file)), what_(std::move(what)), line_(line), node_(std::move(node)) {}

std::string YamlValue::place() const { return cat(file_, ':', line_, ": ", what_); }

void YamlValue::fail(const std::string& wrong, const std::string& fix) const {
  fail_input(file_, ':', line_, ": ", wrong, "; ", fix);
}

YamlValue YamlValue::inner(std::string what, const YAML::Node& node) const {
  const int own = node.Mark().line;
  return YamlValue(file_, std::move(what), own >= 0 && !node.IsNull() ? own + 1 : line_, node);
}

std::string YamlValue::text() const {
  if (!node_.IsScalar() || node_.Scalar().empty()) {
    fail(cat(what_, " is ", node_.IsScalar() ? "empty" : kind_of(node_)), "write a text");
  }
  return node_.Scalar();
}

std::string YamlValue::name() const {
  const std::string name = text();
  if (!is_name(name)) fail(cat(what_, " is \"", name, "\""), kNameRule);
  return name;
}

bool YamlValue::boolean() const {
  if (node_.IsScalar() && node_.Tag() != "!") {
    if (node_.Scalar() == "true") return true;
    if (node_.Scalar() == "false") return false;
  }
  fail(cat(what_, " is ", kind_of(node_)), "write true or false");
}

template <typename Number>
Number YamlValue::parse(const std::string& wanted) const {
  Number number{};
  // A quoted scalar (tag "!") is a text, whatever it looks like.
  if (node_.IsScalar() && node_.Tag() != "!") {
    const std::string& text = node_.Scalar();
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status == std::errc() && end == text.data() + text.size()) return number;
  }
  fail(cat(what_, " is ", kind_of(node_)), cat("write ", wanted));
}

std::int64_t YamlValue::integer(const wire::WholeRange& range) const {
  const std::string wanted = wire::to_string(range);
  const auto number = parse<std::int64_t>(wanted);
  if (!range.holds(number)) fail(cat(what_, " is ", number), cat("write ", wanted));
  return number;
}

std::uint64_t YamlValue::seed() const { return parse<std::uint64_t>("a whole number, 0 or more"); }

double YamlValue::number(const wire::NumberRange& range) const {
  const std::string wanted = wire::to_string(range);
  const auto number = parse<double>(wanted);
  if (!std::isfinite(number) || !range.holds(number)) fail(cat(what_, " is ", node_.Scalar()), cat("write ", wanted));
  return number;
}

std::vector<YamlValue> YamlValue::list() const {
  if (!node_.IsSequence()) fail(cat(what_, " is ", kind_of(node_)), "write a list, [...]");
  std::vector<YamlValue> values;
  for (const YAML::Node& node : node_) {
    values.push_back(inner(cat("entry ", values.size() + 1, " of ", what_), node));
  }
  return values;
}

std::string YamlValue::one_of(const std::vector<std::string>& choices) const {
  const std::string value = text();
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    fail(cat(what_, " is \"", value, "\"", did_you_mean(value, choices)), cat("write ", joined(choices, " or ")));
  }
  return value;
}

YamlFields::YamlFields(YamlValue map) : map_(std::move(map)) {
  if (!map_.node_.IsMap()) {
    map_.fail(cat(map_.what_, " is ", kind_of(map_.node_)), "write a mapping of keys to values");
  }
  for (const auto& entry : map_.node_) {
    const YamlValue key = map_.inner(cat("a key of ", map_.what_), entry.first);
    const std::string name = key.text();
    if (const auto first = find(name)) {
      key.fail(cat("\"", name, "\" stands in ", map_.what_, " twice, first on line ", first->line()), "keep one");
    }
    // At its key's line: an empty value has no place of its own, and a block's first line is another one.
    all_.emplace_back(name, YamlValue(map_.file_, cat("\"", name, "\" of ", map_.what_), key.line_, entry.second));
  }
}

void YamlFields::refuse_others(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : all_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    if (const std::string_view version = version_with(key); !version.empty())
      value.fail(cat("\"", key, "\" in ", map_.what_, " is a key of kvmesh ", version,
                     ", and this is kvmesh " KVMESH_VERSION),
                 cat("install kvmesh ", version, " or newer, or remove the key"));
    value.fail(cat("unknown key \"", key, "\" in ", map_.what_, did_you_mean(key, known)),
               cat("it takes ", joined(known)));
  }
}

std::optional<YamlValue> YamlFields::find(const std::string& key) const {
  for (const auto& [name, value] : all_) {
    if (name == key) return value;
  }
  return std::nullopt;
}

YamlValue YamlFields::get(const std::string& key, const std::string& fix) const {
  if (auto value = find(key)) return *value;
  map_.fail(cat(map_.what_, " has no \"", key, "\""), fix);
}

std::string did_you_mean(const std::string& text, const std::vector<std::string>& names) {
  const std::string* nearest = nullptr;
  std::size_t best = 3;  // two slips are a typing error, three another word
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(text, name);
    if (distance < best && distance < name.size()) {
      best = distance;
      nearest = &name;
    }
  }
  return nearest == nullptr ? "" : cat(" (did you mean \"", *nearest, "\"?)");
}

std::string joined(const std::vector<std::string>& names, const std::string& last) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? last : ", ";
    text += names[i];
  }
  return text.empty() ? "none" : text;
}

}  // namespace kvmesh::orchestrator::detail

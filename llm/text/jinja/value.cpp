#include "llm/text/jinja/value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr int kDeepest = 500;  ///< nested values; deeper ones would use up the stack

template <typename Json>
Value value_of(const Json& json, int depth) {
  if (depth > kDeepest) throw TemplateError("the variables are nested too deeply");
  if (json.is_null()) return nullptr;
  if (json.is_boolean()) return json.template get<bool>();
  if (json.is_number_unsigned() && !std::in_range<std::int64_t>(json.template get<std::uint64_t>()))
    throw TemplateError(cat("the number ", json.dump(), " in the variables is too large"));
  if (json.is_number_integer()) return json.template get<std::int64_t>();
  if (json.is_number_float()) return json.template get<double>();
  if (json.is_string()) return json.template get<std::string>();
  if (json.is_array()) {
    std::vector<Value> items;
    for (const Json& item : json) items.push_back(value_of(item, depth + 1));
    return Value::list(std::move(items));
  }
  if (!json.is_object()) throw TemplateError("a variable is binary data, which JSON text cannot hold");
  auto dict = std::make_shared<Dict>();
  for (const auto& [key, item] : json.items()) dict->entries.emplace_back(key, value_of(item, depth + 1));
  return dict;
}

std::string join(const std::vector<std::string>& parts, const std::string& open, const std::string& close) {
  std::string out = open;
  for (std::size_t index = 0; index < parts.size(); ++index) out += (index == 0 ? "" : ", ") + parts[index];
  return out + close;
}

std::string list_text(const List& list) {
  std::vector<std::string> parts;
  for (const Value& item : list.items) parts.push_back(item.repr());
  if (!list.is_tuple) return join(parts, "[", "]");
  return join(parts, "(", parts.size() == 1 ? ",)" : ")");
}

std::string dict_text(const Dict& dict) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : dict.entries) parts.push_back(key.repr() + ": " + value.repr());
  return join(parts, "{", "}");
}

bool equal_dicts(const Dict& left, const Dict& right) {
  return left.entries.size() == right.entries.size() &&
         std::all_of(left.entries.begin(), left.entries.end(), [&](const auto& entry) {
           const Value* other = right.find(entry.first);
           return other != nullptr && *other == entry.second;
         });
}

}  // namespace

const Value* Dict::find(const Value& key) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
  return found == entries.end() ? nullptr : &found->second;
}

void Dict::set(Value key, Value value) {
  for (auto& entry : entries) {
    if (entry.first == key) {
      entry.second = std::move(value);
      return;
    }
  }
  entries.emplace_back(std::move(key), std::move(value));
}

Value Value::from_json(const nlohmann::json& json) { return value_of(json, 0); }
Value Value::from_json(const nlohmann::ordered_json& json) { return value_of(json, 0); }

std::int64_t Value::integer() const {
  if (is_boolean()) return std::get<bool>(storage_) ? 1 : 0;
  if (is_integer()) return std::get<std::int64_t>(storage_);
  throw TemplateError(cat("expected a whole number, found ", kind()));
}

double Value::number() const {
  if (is_float()) return std::get<double>(storage_);
  if (!is_number()) throw TemplateError(cat("expected a number, found ", kind()));
  return static_cast<double>(integer());
}

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return number() != 0.0;
  if (is_string()) return !string().empty();
  if (is_list()) return !list().items.empty();
  if (is_dict()) return !dict().entries.empty();
  return true;
}

std::string Value::str() const {
  if (is_undefined()) return "";
  return is_string() ? string() : repr();
}

std::string Value::repr() const {
  if (is_undefined()) return "Undefined";
  if (is_none()) return "None";
  if (is_boolean()) return truthy() ? "True" : "False";
  if (is_integer()) return std::to_string(integer());
  if (is_float()) return float_text(number());
  if (is_string()) return text::quoted(string());
  if (is_list()) return list_text(list());
  if (is_dict()) return dict_text(dict());
  return is_namespace() ? "<Namespace>" : cat("<function ", function().name, ">");
}

std::string Value::kind() const {
  if (is_undefined()) return cat("'", undefined().name, "', which is undefined");
  if (is_none()) return "none";
  if (is_boolean()) return "a boolean";
  if (is_integer()) return "a whole number";
  if (is_float()) return "a number";
  if (is_string()) return "a string";
  if (is_list()) return list().is_tuple ? "a tuple" : "a list";
  if (is_dict()) return "a mapping";
  return is_namespace() ? "a namespace" : cat("the function ", function().name);
}

std::vector<Value> Value::items() const {
  if (is_undefined()) return {};
  if (is_list()) return list().items;
  std::vector<Value> out;
  if (is_dict()) {
    for (const auto& entry : dict().entries) out.push_back(entry.first);
  } else if (is_string()) {
    for (const char32_t character : text::characters(string())) out.emplace_back(text::utf8_of({&character, 1}));
  } else {
    throw TemplateError(cat("cannot walk over ", kind()));
  }
  return out;
}

std::int64_t Value::length() const {
  if (is_undefined()) return 0;
  if (is_list()) return static_cast<std::int64_t>(list().items.size());
  if (is_dict()) return static_cast<std::int64_t>(dict().entries.size());
  if (is_string()) return static_cast<std::int64_t>(text::characters(string()).size());
  throw TemplateError(cat(kind(), " has no length"));
}

bool operator==(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return left.number() == right.number();
    return left.integer() == right.integer();
  }
  if (left.is_string() && right.is_string()) return left.string() == right.string();
  if (left.is_list() && right.is_list()) {
    return left.list().is_tuple == right.list().is_tuple && left.list().items == right.list().items;
  }
  if (left.is_dict() && right.is_dict()) return equal_dicts(left.dict(), right.dict());
  if (left.is_namespace() && right.is_namespace()) return &left.names() == &right.names();
  if (left.is_function() && right.is_function()) return &left.function() == &right.function();
  return (left.is_none() && right.is_none()) || (left.is_undefined() && right.is_undefined());
}

bool less(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return left.number() < right.number();
    return left.integer() < right.integer();
  }
  if (left.is_string() && right.is_string()) return left.string() < right.string();
  if (left.is_list() && right.is_list()) {
    return std::lexicographical_compare(left.list().items.begin(), left.list().items.end(), right.list().items.begin(),
                                        right.list().items.end(), less);
  }
  throw TemplateError(cat("there is no order between ", left.kind(), " and ", right.kind()));
}

bool contains(const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) throw TemplateError(cat("a string cannot contain ", item.kind()));
    return container.string().find(item.string()) != std::string::npos;
  }
  if (container.is_dict()) return container.dict().find(item) != nullptr;
  const std::vector<Value> items = container.items();
  return std::find(items.begin(), items.end(), item) != items.end();
}

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[64];
  const double size = std::fabs(number);
  const bool plain = size == 0.0 || (size >= 1e-4 && size < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, number, format).ptr);
  return plain && text.find('.') == std::string::npos ? text + ".0" : text;
}

}  // namespace kvmesh::llm::jinja

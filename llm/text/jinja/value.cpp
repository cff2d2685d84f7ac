#include "llm/text/jinja/value.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/object.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr std::size_t kOwnBytes = 96;  ///< what a text, list, mapping or function costs beside what it holds

int checked(int depth) {
  if (depth > Value::kDeepest)
    refuse("a value holds others more than ", Value::kDeepest, " deep, the most that may be");
  return depth;
}

int depth_around(const std::vector<Value>& items) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  return checked(deepest + 1);
}

int depth_around(const Dict& dict) {
  int deepest = 0;
  for (const auto& [key, value] : dict.entries) deepest = std::max({deepest, key.depth(), value.depth()});
  return checked(deepest + 1);
}

template <typename Json>
Value value_of(const Json& json, int depth) {
  checked(depth);
  if (json.is_null()) return nullptr;
  if (json.is_boolean()) return json.template get<bool>();
  if (json.is_number_unsigned() && !std::in_range<std::int64_t>(json.template get<std::uint64_t>()))
    refuse("the number ", json.dump(), " in the variables is too large");
  if (json.is_number_integer()) return json.template get<std::int64_t>();
  if (json.is_number_float()) return json.template get<double>();
  if (json.is_string()) return Value::constant(json.template get<std::string>());
  if (json.is_array()) {
    std::vector<Value> items;
    items.reserve(json.size());
    for (const Json& item : json) items.push_back(value_of(item, depth + 1));
    return Value::constant(std::move(items));
  }
  if (!json.is_object()) refuse("a variable is binary data, which JSON text cannot hold");
  Dict dict;
  dict.entries.reserve(json.size());
  for (const auto& [key, item] : json.items()) {
    dict.entries.emplace_back(Value::constant(key), value_of(item, depth + 1));
  }
  return Value::constant(std::move(dict));
}

}  // namespace

Undefined::Undefined(std::string_view whole_name)
    : name(std::make_shared<const std::string>(text::excerpt(whole_name))) {}

std::size_t Dict::place(Budget& budget, std::string_view key) const {
  budget.step(entries.size() / 16);
  return static_cast<std::size_t>(
      std::find_if(entries.begin(), entries.end(),
                   [&](const auto& entry) { return entry.first.is_string() && entry.first.string() == key; }) -
      entries.begin());
}

std::size_t Dict::place(Budget& budget, const Value& key) const {
  if (key.is_string()) return place(budget, std::string_view(key.string()));
  if (!is_hashable(budget, key)) return entries.size();
  return static_cast<std::size_t>(
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return equal(budget, entry.first, key); }) -
      entries.begin());
}

const Value* Dict::find(Budget& budget, const Value& key) const {
  const std::size_t at = place(budget, key);
  return at < entries.size() ? &entries[at].second : nullptr;
}

const Value* Dict::find(Budget& budget, std::string_view key) const {
  const std::size_t at = place(budget, key);
  return at < entries.size() ? &entries[at].second : nullptr;
}

void Dict::set(Budget& budget, Value key, Value value) {
  if (!is_hashable(budget, key)) refuse(key.kind(), " cannot be the key of a mapping");
  depth = std::max({depth, checked(key.depth() + 1), checked(value.depth() + 1)});
  const std::size_t at = place(budget, key);
  if (at < entries.size()) {
    entries[at].second = std::move(value);
  } else {
    entries.emplace_back(std::move(key), std::move(value));
  }
}

Value::Value(Budget& budget, std::string utf8, bool is_markup) {
  Charge charge(budget, kOwnBytes + utf8.size());
  storage_ = std::make_shared<const Text>(Text{std::move(utf8), is_markup, std::move(charge)});
}

Value::Value(Budget& budget, Dict dict) {
  dict.depth = depth_around(dict);
  dict.charge = Charge(budget, kOwnBytes + 2 * kItemBytes * dict.entries.size());
  storage_ = std::make_shared<const Dict>(std::move(dict));
}

Value::Value(Budget& budget, Function function) {
  checked(function.depth);
  function.charge = Charge(budget, 2 * kOwnBytes);
  storage_ = std::make_shared<const Function>(std::move(function));
}

Value Value::list(Budget& budget, std::vector<Value> items, ListKind kind) {
  List list{std::move(items), kind, 1, {}};
  list.depth = depth_around(list.items);
  list.charge = Charge(budget, kOwnBytes + kItemBytes * list.items.size());
  budget.step(list.items.size() / 16);
  return Value(std::make_shared<const List>(std::move(list)));
}

Value Value::range(Budget& budget, std::int64_t start, std::int64_t stop, std::int64_t step) {
  constexpr std::uint64_t kLongest = 100000;  // as in Jinja's sandbox
  if (step == 0) refuse("the step of 'range' cannot be 0");
  const auto wide = [](std::int64_t number) { return static_cast<std::uint64_t>(number); };
  const bool any = step > 0 ? start < stop : start > stop;
  // The distance and the stride fit 64 bits without a sign, where differences of signed numbers would not.
  const std::uint64_t distance = !any ? 0 : step > 0 ? wide(stop) - wide(start) : wide(start) - wide(stop);
  const std::uint64_t stride = step > 0 ? wide(step) : std::uint64_t{0} - wide(step);
  const std::uint64_t count = distance / stride + (distance % stride != 0 ? 1 : 0);
  if (count > kLongest) refuse("'range' would have ", count, " items, and ", kLongest, " is the most it may have");
  List list{{}, ListKind::kRange, 1, Charge(budget, kOwnBytes + kItemBytes * count), start, stop, step};
  list.items.reserve(count);
  for (std::uint64_t index = 0; index < count; ++index) {
    list.items.emplace_back(static_cast<std::int64_t>(wide(start) + index * wide(step)));
  }
  return Value(std::make_shared<const List>(std::move(list)));
}

Value Value::constant(std::string utf8) {
  Value value;
  value.storage_ = std::make_shared<const Text>(Text{std::move(utf8), false, {}});
  return value;
}

Value Value::constant(std::vector<Value> items) {
  List list{std::move(items)};
  list.depth = depth_around(list.items);
  return Value(std::make_shared<const List>(std::move(list)));
}

Value Value::constant(Dict dict) {
  dict.depth = depth_around(dict);
  Value value;
  value.storage_ = std::make_shared<const Dict>(std::move(dict));
  return value;
}

Value Value::constant(Function function) {
  Value value;
  value.storage_ = std::make_shared<const Function>(std::move(function));
  return value;
}

std::int64_t Value::integer() const {
  if (is_boolean()) return std::get<bool>(storage_) ? 1 : 0;
  if (is_integer()) return std::get<std::int64_t>(storage_);
  refuse("expected a whole number, found ", kind());
}

double Value::number() const {
  if (is_float()) return std::get<double>(storage_);
  if (!is_number()) refuse("expected a number, found ", kind());
  return static_cast<double>(integer());
}

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return number() != 0.0;
  if (is_string()) return !string().empty();
  if (is_list()) return list().kind == ListKind::kGenerator || !list().items.empty();
  if (is_dict()) return !dict().entries.empty();
  return true;
}

bool Value::is_callable() const { return is_function() || (is_object() && object().is_callable()); }

std::string Value::kind() const {
  if (is_undefined()) return cat("'", missing_name(), "', which is undefined");
  if (is_none()) return "none";
  if (is_boolean()) return "a boolean";
  if (is_integer()) return "a whole number";
  if (is_float()) return "a number";
  if (is_string()) return "a string";
  if (is_dict()) return "a mapping";
  if (is_object()) return object().kind();
  if (is_function()) return cat("the function ", function().name);
  switch (list().kind) {
    case ListKind::kList: return "a list";
    case ListKind::kTuple:
    case ListKind::kGroup: return "a tuple";
    case ListKind::kRange: return "a range";
    case ListKind::kKeys:
    case ListKind::kValues:
    case ListKind::kItems: return "a view of a mapping";
    case ListKind::kGenerator: return "a generator";
  }
  return {};
}

int Value::depth() const {
  if (is_list()) return list().depth;
  if (is_dict()) return dict().depth;
  if (is_function()) return function().depth;
  return 0;
}

std::size_t Value::extent() const {
  if (is_string()) return string().size();
  if (is_list()) return list().items.size() * 8;
  return is_dict() ? dict().entries.size() * 8 : 0;
}

std::vector<Value> Value::items(Budget& budget) const {
  if (is_undefined()) return {};
  budget.read(extent());
  if (is(ListKind::kGenerator)) {
    const auto from = static_cast<std::ptrdiff_t>(std::exchange(list().walked, list().items.size()));
    return {list().items.begin() + from, list().items.end()};
  }
  if (is_list()) return list().items;
  std::vector<Value> out;
  if (is_dict()) {
    for (const auto& entry : dict().entries) out.push_back(entry.first);
  } else if (is_string()) {
    text::each_character(string(),
                         [&](std::string_view character) { out.emplace_back(budget, std::string(character)); });
  } else {
    refuse("cannot walk over ", kind());
  }
  return out;
}

std::int64_t Value::length() const {
  if (is_undefined()) return 0;
  if (is_list() && list().kind != ListKind::kGenerator) return static_cast<std::int64_t>(list().items.size());
  if (is_dict()) return static_cast<std::int64_t>(dict().entries.size());
  if (is_string()) return static_cast<std::int64_t>(text::count_characters(string()));
  refuse(kind(), " has no length");
}

Value Value::from_json(const nlohmann::json& json) { return value_of(json, 1); }
Value Value::from_json(const nlohmann::ordered_json& json) { return value_of(json, 1); }

}  // namespace kvmesh::llm::jinja

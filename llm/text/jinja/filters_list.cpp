#include <algorithm>

#include "base/error.hpp"
#include "llm/text/jinja/filters.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/operators.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// "a.b.0" of an object, the way the `attribute` of filters reads it.
Value path(Value object, const Value& where) {
  if (!where.is_string()) return subscript(object, where);
  for (const std::string& part : text::split(where.string(), ".", -1)) {
    const bool number = !part.empty() && part.size() < 10 &&
                        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    object =
        number ? subscript(object, Value(static_cast<std::int64_t>(std::stol(part)))) : subscript(object, Value(part));
  }
  return object;
}

/// What sorting and comparing look at: the attribute, and strings in small letters where case does not count.
Value key_of(const Value& item, const Value& where, bool case_sensitive) {
  if (where.is_string() &&
      where.string().find(',') != std::string::npos) {  // several attributes, the first counts most
    std::vector<Value> keys;
    for (const std::string& each : text::split(where.string(), ",", -1))
      keys.push_back(key_of(item, each, case_sensitive));
    return Value::tuple(std::move(keys));
  }
  Value key = where.is_none() ? item : path(item, where);
  return !case_sensitive && key.is_string() ? Value(text::lower(key.string())) : key;
}

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

std::string name_at(const std::string& filter, const Arguments& arguments, std::size_t index) {
  if (index >= arguments.positional.size() || !arguments.positional[index].is_string()) {
    throw TemplateError(cat("'", filter, "' needs a name"));
  }
  return arguments.positional[index].string();
}

/// What map, select and their kin walk over: nothing where the input is nothing, as in Jinja.
std::vector<Value> items_if_any(const Value& input) { return input.truthy() ? input.items() : std::vector<Value>(); }

Value map_items(Context& context, const Value& input, const Arguments& arguments) {
  std::vector<Value> out;
  if (arguments.positional.empty()) {
    const Bound bound("map", arguments, {"attribute", "default"});
    const Value where = bound.need("attribute");
    for (const Value& item : items_if_any(input)) {
      Value value = path(item, where);
      out.push_back(value.is_undefined() ? bound.value("default", value) : value);
    }
  } else {
    const std::string filter = name_at("map", arguments, 0);
    const Arguments rest = without_first(arguments, 1);
    for (const Value& item : items_if_any(input)) out.push_back(apply_filter(context, filter, item, rest));
  }
  return Value::list(std::move(out));
}

template <bool kWanted, bool kByAttribute>
Value choose(Context& context, const Value& input, const Arguments& arguments) {
  const std::size_t own = kByAttribute ? 1 : 0;
  const Value where = kByAttribute ? Value(name_at("selectattr", arguments, 0)) : Value(nullptr);
  const bool tested = arguments.positional.size() > own;
  const std::string test = tested ? name_at("select", arguments, own) : "";
  const Arguments rest = tested ? without_first(arguments, own + 1) : Arguments{};
  std::vector<Value> out;
  for (const Value& item : items_if_any(input)) {
    const Value value = kByAttribute ? path(item, where) : item;
    if ((tested ? apply_test(context, test, value, rest) : value.truthy()) == kWanted) out.push_back(item);
  }
  return Value::list(std::move(out));
}

Value join(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const std::string separator = bound.value("d", "").str();
  const Value where = bound.value("attribute", nullptr);
  std::string out;
  bool first = true;
  for (const Value& item : input.items()) {
    if (!std::exchange(first, false)) out += separator;
    out += key_of(item, where, /*case_sensitive=*/true).str();
  }
  return out;
}

Value default_value(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool missing = input.is_undefined() || (bound.flag("boolean", false) && !input.truthy());
  return missing ? bound.value("default_value", "") : input;
}

template <bool kLast>
Value end_item(Context&, const Value& input, const Arguments&) {
  const std::vector<Value> items = input.items();
  if (items.empty()) return Undefined{kLast ? "the last item of an empty list" : "the first item of an empty list"};
  return kLast ? items.back() : items.front();
}

Value sort(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const Value where = bound.value("attribute", nullptr);
  const bool case_sensitive = bound.flag("case_sensitive", false);
  const bool reverse = bound.flag("reverse", false);
  std::vector<Value> items = input.items();
  std::stable_sort(items.begin(), items.end(), [&](const Value& left, const Value& right) {
    const Value first = key_of(left, where, case_sensitive);
    const Value second = key_of(right, where, case_sensitive);
    return reverse ? less(second, first) : less(first, second);
  });
  return Value::list(std::move(items));
}

Value dict_sort(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (!input.is_dict()) throw TemplateError(cat("'dictsort' wants a mapping, found ", input.kind()));
  const bool case_sensitive = bound.flag("case_sensitive", false);
  const Value where(std::int64_t{bound.text("by", "key") == "value" ? 1 : 0});
  const bool reverse = bound.flag("reverse", false);
  std::vector<Value> items;
  for (const auto& [key, value] : input.dict().entries) items.push_back(Value::tuple({key, value}));
  std::stable_sort(items.begin(), items.end(), [&](const Value& left, const Value& right) {
    const Value first = key_of(left, where, case_sensitive);
    const Value second = key_of(right, where, case_sensitive);
    return reverse ? less(second, first) : less(first, second);
  });
  return Value::list(std::move(items));
}

Value unique(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  std::vector<Value> seen;
  std::vector<Value> out;
  for (const Value& item : input.items()) {
    const Value key = key_of(item, bound.value("attribute", nullptr), bound.flag("case_sensitive", false));
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) continue;
    seen.push_back(key);
    out.push_back(item);
  }
  return Value::list(std::move(out));
}

template <bool kLargest>
Value extreme(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound(kLargest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const auto before = [&](const Value& left, const Value& right) {
    const Value first = key_of(left, bound.value("attribute", nullptr), bound.flag("case_sensitive", false));
    const Value second = key_of(right, bound.value("attribute", nullptr), bound.flag("case_sensitive", false));
    return kLargest ? less(second, first) : less(first, second);
  };
  const std::vector<Value> items = input.items();
  if (items.empty()) return Undefined{"the extreme of an empty list"};
  return *std::min_element(items.begin(), items.end(), before);
}

Value sum(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  Value total = bound.value("start", std::int64_t{0});
  for (const Value& item : input.items()) {
    total = calculate("+", total, key_of(item, bound.value("attribute", nullptr), /*case_sensitive=*/true));
  }
  return total;
}

Value reverse(Context&, const Value& input, const Arguments&) {
  if (input.is_string()) return slice(input, nullptr, nullptr, Value(std::int64_t{-1}));
  std::vector<Value> items = input.items();
  std::reverse(items.begin(), items.end());
  return Value::list(std::move(items));
}

Value items_of(Context&, const Value& input, const Arguments&) {
  std::vector<Value> out;
  if (input.is_undefined()) return Value::list({});
  if (!input.is_dict()) throw TemplateError(cat("'items' wants a mapping, found ", input.kind()));
  for (const auto& [key, value] : input.dict().entries) out.push_back(Value::tuple({key, value}));
  return Value::list(std::move(out));
}

Value batch(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"});
  const std::int64_t size = bound.need("linecount").integer();
  if (size <= 0) throw TemplateError("'batch' needs a size above 0");
  std::vector<Value> out;
  std::vector<Value> line;
  const auto end_line = [&] { out.push_back(Value::list(std::exchange(line, {}))); };
  for (const Value& item : input.items()) {
    if (static_cast<std::int64_t>(line.size()) == size) end_line();
    line.push_back(item);
  }
  const Value fill = bound.value("fill_with", nullptr);
  if (!line.empty() && !fill.is_none()) line.resize(static_cast<std::size_t>(size), fill);
  if (!line.empty()) end_line();
  return Value::list(std::move(out));
}

/// Columns of as equal length as can be, the first ones longer; `fill_with` is added to the others.
Value columns(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"});
  const std::int64_t count = bound.need("slices").integer();
  if (count <= 0 || count > 100000) throw TemplateError("'slice' needs a number of slices above 0");
  const std::vector<Value> items = input.items();
  const auto slices = static_cast<std::size_t>(count);
  const Value fill = bound.value("fill_with", nullptr);
  std::vector<Value> out;
  auto at = items.begin();
  for (std::size_t slice = 0; slice < slices; ++slice) {
    const bool longer = slice < items.size() % slices;
    const auto end = at + static_cast<std::ptrdiff_t>(items.size() / slices + (longer ? 1 : 0));
    std::vector<Value> column(at, end);
    if (!fill.is_none() && !longer) column.push_back(fill);
    out.push_back(Value::list(std::move(column)));
    at = end;
  }
  return Value::list(std::move(out));
}

Value group_by(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"});
  const Value where = bound.need("attribute");
  const bool case_sensitive = bound.flag("case_sensitive", false);
  const Arguments order{{}, {{"attribute", where}, {"case_sensitive", Value(case_sensitive)}}};
  std::vector<std::pair<Value, std::vector<Value>>> groups;
  for (const Value& item : sort(context, input, order).items()) {
    const Value key = path(item, where);
    if (groups.empty() ||
        !(key_of(key, nullptr, case_sensitive) == key_of(groups.back().first, nullptr, case_sensitive))) {
      groups.push_back({key, {}});
    }
    groups.back().second.push_back(item);
  }
  std::vector<Value> out;
  for (auto& [key, members] : groups) out.push_back(Value::tuple({key, Value::list(std::move(members))}));
  return Value::list(std::move(out));
}

Value length(Context&, const Value& input, const Arguments&) { return input.length(); }

}  // namespace

const Filters& list_filters() {
  static const Filters kFilters{
      {"map", map_items},
      {"select", choose<true, false>},
      {"reject", choose<false, false>},
      {"selectattr", choose<true, true>},
      {"rejectattr", choose<false, true>},
      {"join", join},
      {"default", default_value},
      {"d", default_value},
      {"first", end_item<false>},
      {"last", end_item<true>},
      {"length", length},
      {"count", length},
      {"list", [](Context&, const Value& input, const Arguments&) { return Value::list(input.items()); }},
      {"sort", sort},
      {"dictsort", dict_sort},
      {"unique", unique},
      {"min", extreme<false>},
      {"max", extreme<true>},
      {"sum", sum},
      {"reverse", reverse},
      {"items", items_of},
      {"batch", batch},
      {"slice", columns},
      {"groupby", group_by},
      {"attr",
       [](Context&, const Value& input, const Arguments& arguments) {
         const std::string name = Bound("attr", arguments, {"name"}).need("name").str();
         return input.is_dict() ? find_method(input, name) : attribute(input, name);  // never an item
       }},
  };
  return kFilters;
}

bool has_filter(const std::string& name) { return text_filters().contains(name) || list_filters().contains(name); }

Value apply_filter(Context& context, const std::string& name, const Value& input, const Arguments& arguments) {
  if (!has_filter(name)) throw TemplateError(cat("the filter '|", name, "' is not supported"));
  const Filters& filters = text_filters().contains(name) ? text_filters() : list_filters();
  return filters.at(name)(context, input, arguments);
}

}  // namespace kvmesh::llm::jinja

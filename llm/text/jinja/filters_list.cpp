#include <algorithm>

#include "llm/text/jinja/filters.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/markup.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

std::string name_at(const std::string& filter, const Arguments& arguments, std::size_t index) {
  if (index >= arguments.positional.size() || !arguments.positional[index].is_string()) {
    refuse("'", filter, "' needs a name");
  }
  return arguments.positional[index].string();
}

/// What map, select and their kin walk over: nothing where the input is nothing, as in Jinja.
std::vector<Value> items_if_any(Context& context, const Value& input) {
  return input.truthy() ? input.items(context.budget()) : std::vector<Value>();
}

Value generator(Context& context, std::vector<Value> items) {
  return Value::list(context.budget(), std::move(items), ListKind::kGenerator);
}

Value map_items(Context& context, const Value& input, const Arguments& arguments) {
  std::vector<Value> out;
  if (arguments.positional.empty()) {
    const Bound bound("map", arguments, {"attribute", "default"});
    const Value where = bound.need("attribute");
    for (const Value& item : items_if_any(context, input)) {
      out.push_back(attribute_path(context, item, where, bound.value("default", nullptr)));
    }
  } else {
    const std::string filter = name_at("map", arguments, 0);
    const Arguments rest = without_first(arguments, 1);
    for (const Value& item : items_if_any(context, input)) {
      context.budget().read(item.extent());
      out.push_back(apply_filter(context, filter, item, rest));
    }
  }
  return generator(context, std::move(out));
}

template <bool kWanted, bool kByAttribute>
Value choose(Context& context, const Value& input, const Arguments& arguments) {
  const std::size_t own = kByAttribute ? 1 : 0;
  if (arguments.positional.size() < own) refuse("'selectattr' and 'rejectattr' need an attribute");
  const Value where = kByAttribute ? arguments.positional.front() : Value(nullptr);
  const bool tested = arguments.positional.size() > own;
  const std::string test = tested ? name_at("select", arguments, own) : "";
  const Arguments rest = tested ? without_first(arguments, own + 1) : Arguments{};
  std::vector<Value> out;
  for (const Value& item : items_if_any(context, input)) {
    context.budget().step();
    const Value value = kByAttribute ? attribute_path(context, item, where) : item;
    if ((tested ? apply_test(context, test, value, rest) : value.truthy()) == kWanted) out.push_back(item);
  }
  return generator(context, std::move(out));
}

Value join(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const std::string separator = str(context.budget(), bound.value("d", Value::constant("")));
  const Value where = bound.value("attribute", nullptr);
  TextBuilder out(context.budget());
  bool first = true;
  for (const Value& item : input.items(context.budget())) {
    if (!std::exchange(first, false)) out.append(separator);
    print(out, attribute_path(context, item, where));
  }
  return out.take_value();
}

Value default_value(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool missing = input.is_undefined() || (bound.flag("boolean", false) && !input.truthy());
  return missing ? bound.value("default_value", Value::constant("")) : input;
}

Value first_item(Context& context, const Value& input, const Arguments&) {
  if (input.is(ListKind::kGenerator)) {
    const List& list = input.list();
    return list.walked < list.items.size() ? list.items[list.walked++] : Value(Undefined("the first item of nothing"));
  }
  if (input.is_string() && !input.string().empty()) {
    return Value(context.budget(), input.string().substr(0, utf8::length(input.string().front())));
  }
  const std::vector<Value> items = input.items(context.budget());
  return items.empty() ? Value(Undefined("the first item of nothing")) : items.front();
}

Value last_item(Context& context, const Value& input, const Arguments&) {
  if (input.is(ListKind::kGenerator)) refuse("a generator has no last item");
  const std::vector<Value> items = input.items(context.budget());
  if (items.empty()) return Undefined("the last item of nothing");
  return input.is_markup() ? as_markup(context.budget(), items.back()) : items.back();
}

Value reverse(Context& context, const Value& input, const Arguments&) {
  if (input.is_string()) return Value(context.budget(), text::reversed(input.string()), input.is_markup());
  std::vector<Value> items = input.items(context.budget());
  std::reverse(items.begin(), items.end());
  // Python gives a list for what it cannot walk over backwards.
  const bool backwards = !input.is(ListKind::kGenerator);
  return Value::list(context.budget(), std::move(items), backwards ? ListKind::kGenerator : ListKind::kList);
}

Value items_of(Context& context, const Value& input, const Arguments&) {
  std::vector<Value> out;
  if (!input.is_dict() && !input.is_undefined()) refuse("'items' wants a mapping, found ", input.kind());
  if (input.is_dict()) {
    for (const auto& [key, value] : input.dict().entries) out.push_back(Value::tuple(context.budget(), {key, value}));
  }
  return generator(context, std::move(out));
}

Value batch(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"});
  const std::int64_t size = bound.need("linecount").integer();
  if (size <= 0) refuse("'batch' needs a size above 0");
  std::vector<Value> out;
  std::vector<Value> line;
  const auto end_line = [&] { out.push_back(Value::list(context.budget(), std::exchange(line, {}))); };
  for (const Value& item : input.items(context.budget())) {
    if (static_cast<std::int64_t>(line.size()) == size) end_line();
    line.push_back(item);
  }
  const Value fill = bound.value("fill_with", nullptr);
  if (!line.empty() && !fill.is_none()) {
    context.budget().need_room(static_cast<std::size_t>(size), Value::kItemBytes);
    line.resize(static_cast<std::size_t>(size), fill);
  }
  if (!line.empty()) end_line();
  return generator(context, std::move(out));
}

/// Columns of as equal length as can be, the first ones longer; `fill_with` is added to the others.
Value columns(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"});
  bound.need("slices");
  const std::size_t slices = bound.count("slices", 0);
  if (slices == 0) refuse("'slice' needs a number of slices above 0");
  context.budget().need_room(slices, 2 * Value::kItemBytes);
  const std::vector<Value> items = input.items(context.budget());
  const Value fill = bound.value("fill_with", nullptr);
  std::vector<Value> out;
  auto at = items.begin();
  for (std::size_t slice = 0; slice < slices; ++slice) {
    context.budget().step();
    const bool longer = slice < items.size() % slices;
    const auto end = at + static_cast<std::ptrdiff_t>(items.size() / slices + (longer ? 1 : 0));
    std::vector<Value> column(at, end);
    if (!fill.is_none() && !longer) column.push_back(fill);
    out.push_back(Value::list(context.budget(), std::move(column)));
    at = end;
  }
  return generator(context, std::move(out));
}

Value to_list(Context& context, const Value& input, const Arguments&) {
  return Value::list(context.budget(), input.items(context.budget()));
}

Value attribute_of(Context& context, const Value& input, const Arguments& arguments) {
  const std::string name = str(context.budget(), Bound("attr", arguments, {"name"}).need("name"));
  if (input.is_dict()) return find_method(context, input, name);  // never an item
  return attribute(context, input, name);
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
      {"first", first_item},
      {"last", last_item},
      {"length", length},
      {"count", length},
      {"list", to_list},
      {"reverse", reverse},
      {"items", items_of},
      {"batch", batch},
      {"slice", columns},
      {"attr", attribute_of},
  };
  return kFilters;
}

}  // namespace kvmesh::llm::jinja

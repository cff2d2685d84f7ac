#include "llm/text/jinja/methods.hpp"

#include <algorithm>

#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/markup.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

template <ListKind kKind>
Value dict_view(Context& context, const Value& self, const Arguments& arguments) {
  const Bound none("keys, values or items", arguments, {});
  std::vector<Value> out;
  for (const auto& [key, value] : self.dict().entries) {
    if constexpr (kKind == ListKind::kKeys) out.push_back(key);
    if constexpr (kKind == ListKind::kValues) out.push_back(value);
    if constexpr (kKind == ListKind::kItems) out.push_back(Value::tuple(context.budget(), {key, value}));
  }
  return Value::list(context.budget(), std::move(out), kKind);
}

Value dict_get(Context& context, const Value& self, const Arguments& arguments) {
  if (!arguments.keyword.empty()) refuse("'get' takes its arguments without names");
  const Bound bound("get", arguments, {"key", "default"});
  const Value key = bound.need("key");
  if (!is_hashable(context.budget(), key)) refuse(key.kind(), " cannot be the key of a mapping");
  const Value* found = self.dict().find(context.budget(), key);
  return found != nullptr ? *found : bound.value("default", nullptr);
}

const Methods& dict_methods() {
  static const Methods kMethods{
      {"items", dict_view<ListKind::kItems>},
      {"keys", dict_view<ListKind::kKeys>},
      {"values", dict_view<ListKind::kValues>},
      {"get", dict_get},
      {"copy", [](Context&, const Value& self, const Arguments&) { return self; }},
  };
  return kMethods;
}

/// The place of `value` from `start` on; the number of items if it is not there.
std::size_t place_of(Context& context, const std::vector<Value>& items, const Value& value, std::size_t start = 0) {
  std::size_t at = std::min(start, items.size());
  while (at < items.size() && !equal(context.budget(), items[at], value)) ++at;
  return at;
}

Value list_count(Context& context, const Value& self, const Arguments& arguments) {
  const Value wanted = Bound("count", arguments, {"value"}).need("value");
  const auto& items = self.list().items;
  return static_cast<std::int64_t>(std::count_if(items.begin(), items.end(), [&](const Value& item) {
    return equal(context.budget(), item, wanted);
  }));
}

Value list_index(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound("index", arguments, {"value", "start"});
  const Value wanted = bound.need("value");
  const std::size_t at = place_of(context, self.list().items, wanted, bound.count("start", 0));
  if (at == self.list().items.size()) refuse(wanted.kind(), " that 'index' looks for is not in the list");
  return static_cast<std::int64_t>(at);
}

const Methods& list_methods() {
  static const Methods kMethods{
      {"index", list_index},
      {"count", list_count},
      {"copy", [](Context&, const Value& self, const Arguments&) { return self; }},
  };
  return kMethods;
}

Value item_at(Context& context, const Value& object, std::int64_t index) {
  const std::int64_t length = object.length();
  const std::int64_t at = index < 0 ? index + length : index;
  if (at < 0 || at >= length) return Undefined(cat("the item ", index));
  if (object.is_list()) return object.list().items[static_cast<std::size_t>(at)];
  const std::string& whole = object.string();
  context.budget().read(whole.size());
  const std::size_t from = text::place_of(whole, static_cast<std::size_t>(at));
  return Value(context.budget(), whole.substr(from, utf8::length(whole[from])), object.is_markup());
}

/// The names that a group of groupby has for its parts.
Value group_part(const Value& object, std::string_view name) {
  if (!object.is(ListKind::kGroup) || (name != "grouper" && name != "list")) return Undefined(name);
  return object.list().items[name == "grouper" ? 0 : 1];
}

void need_object(const Value& object, std::string_view name) {
  if (object.is_undefined()) {
    refuse("'", object.missing_name(), "' is undefined and has no '", text::excerpt(name), "'");
  }
}

}  // namespace

Value find_method(Context& context, const Value& object, std::string_view name) {
  static const Methods kNone;
  const Methods& methods = object.is_string()     ? string_methods()
                           : object.is_dict()     ? dict_methods()
                           : object.is_sequence() ? list_methods()
                                                  : kNone;
  const auto found = methods.find(name);
  if (found == methods.end()) return Undefined(name);
  return Value(context.budget(),
               Function{found->first,
                        [self = object, method = found->second](Context& running, const Arguments& arguments) {
                          const Value value = method(running, self, arguments);
                          return self.is_markup() ? as_markup(running.budget(), value) : value;
                        },
                        object.depth() + 1,
                        {}});
}

Value attribute(Context& context, const Value& object, std::string_view name) {
  need_object(object, name);
  if (object.is_object()) return object.object().attribute(context, name);
  Value method = find_method(context, object, name);
  if (!method.is_undefined()) return method;
  const Value* item = object.is_dict() ? object.dict().find(context.budget(), name) : nullptr;
  return item != nullptr ? *item : group_part(object, name);
}

Value subscript(Context& context, const Value& object, const Value& key) {
  need_object(object, key.is_string() ? std::string_view(key.string()) : std::string_view("item"));
  if (object.is_dict()) {
    if (const Value* item = object.dict().find(context.budget(), key)) return *item;
  }
  const bool indexed = object.is_string() || object.is_sequence() || object.is(ListKind::kRange);
  if (indexed && (key.is_integer() || key.is_boolean())) return item_at(context, object, key.integer());
  if (!key.is_string()) return Undefined(key.is_integer() ? cat("the item ", key.integer()) : "the item");
  if (object.is_object()) return object.object().attribute(context, key.string());
  Value method = find_method(context, object, key.string());
  return method.is_undefined() ? group_part(object, key.string()) : method;
}

Value call(Context& context, const Value& callee, const Arguments& arguments) {
  if (callee.is_undefined()) refuse("the function '", callee.missing_name(), "' is not known");
  if (callee.is_object()) return callee.object().call(context, arguments);
  if (!callee.is_function()) refuse(callee.kind(), " cannot be called");
  return callee.function().call(context, arguments);
}

}  // namespace kvmesh::llm::jinja

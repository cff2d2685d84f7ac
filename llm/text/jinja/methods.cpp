#include "llm/text/jinja/methods.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

Value dict_items(const Value& self, const Arguments&) {
  std::vector<Value> out;
  for (const auto& [key, value] : self.dict().entries) out.push_back(Value::tuple({key, value}));
  return Value::list(std::move(out));
}

Value dict_values(const Value& self, const Arguments&) {
  std::vector<Value> out;
  for (const auto& entry : self.dict().entries) out.push_back(entry.second);
  return Value::list(std::move(out));
}

Value dict_get(const Value& self, const Arguments& arguments) {
  const Bound bound("get", arguments, {"key", "default"});
  const Value* found = self.dict().find(bound.need("key"));
  return found != nullptr ? *found : bound.value("default", nullptr);
}

const Methods& dict_methods() {
  static const Methods kMethods{
      {"items", dict_items},
      {"keys", [](const Value& self, const Arguments&) { return Value::list(self.items()); }},
      {"values", dict_values},
      {"get", dict_get},
      {"copy", [](const Value& self, const Arguments&) { return Value(std::make_shared<Dict>(self.dict())); }},
  };
  return kMethods;
}

Value list_count(const Value& self, const Arguments& arguments) {
  const auto& items = self.list().items;
  return static_cast<std::int64_t>(
      std::count(items.begin(), items.end(), Bound("count", arguments, {"value"}).need("value")));
}

Value list_index(const Value& self, const Arguments& arguments) {
  const auto& items = self.list().items;
  const Value what = Bound("index", arguments, {"value"}).need("value");
  const auto found = std::find(items.begin(), items.end(), what);
  if (found == items.end()) throw TemplateError(cat(what.repr(), " is not in the list"));
  return static_cast<std::int64_t>(found - items.begin());
}

const Methods& list_methods() {
  static const Methods kMethods{
      {"index", list_index},
      {"count", list_count},
      {"copy", [](const Value& self, const Arguments&) { return Value::list(self.items()); }},
  };
  return kMethods;
}

const Value* find_item(const Value& object, const Value& key) {
  if (object.is_dict()) return object.dict().find(key);
  if (object.is_namespace()) return object.names().attributes.find(key);
  return nullptr;
}

Value item_at(const Value& object, std::int64_t index) {
  const std::int64_t length = object.length();
  const std::int64_t at = index < 0 ? index + length : index;
  if (at < 0 || at >= length) return Undefined{cat("the item ", index)};
  if (object.is_list()) return object.list().items[static_cast<std::size_t>(at)];
  return text::utf8_of({&text::characters(object.string())[static_cast<std::size_t>(at)], 1});
}

void need_object(const Value& object, const std::string& name) {
  if (object.is_undefined()) {
    throw TemplateError(cat("'", object.undefined().name, "' is undefined and has no '", name, "'"));
  }
}

}  // namespace

Value find_method(const Value& object, const std::string& name) {
  static const Methods kNone;
  const Methods& methods = object.is_string() ? string_methods()
                           : object.is_dict() ? dict_methods()
                           : object.is_list() ? list_methods()
                                              : kNone;
  const auto found = methods.find(name);
  if (found == methods.end()) return Undefined{name};
  return Function{name, [self = object, method = found->second](Context&, const Arguments& arguments) {
                    return method(self, arguments);
                  }};
}

Value attribute(const Value& object, const std::string& name) {
  need_object(object, name);
  Value method = find_method(object, name);
  if (!method.is_undefined()) return method;
  const Value* item = find_item(object, Value(name));
  return item != nullptr ? *item : Value(Undefined{name});
}

Value subscript(const Value& object, const Value& key) {
  need_object(object, key.str());
  if (const Value* item = find_item(object, key)) return *item;
  if ((object.is_list() || object.is_string()) && (key.is_integer() || key.is_boolean())) {
    return item_at(object, key.integer());
  }
  if (key.is_string()) return find_method(object, key.string());
  return Undefined{key.str()};
}

}  // namespace kvmesh::llm::jinja

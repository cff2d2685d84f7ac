#include <algorithm>
#include <map>

#include "agents/llm/jinja/library.hpp"
#include "agents/llm/jinja/text.hpp"
#include "base/error.hpp"

namespace kvmesh::llm::jinja {
namespace {

using Method = Value (*)(const Value& self, const Arguments& arguments);

Value texts(std::vector<std::string> parts) {
  std::vector<Value> items;
  for (std::string& part : parts) items.emplace_back(std::move(part));
  return Value::list(std::move(items));
}

template <text::Side kSide>
Value strip(const Value& self, const Arguments& arguments) {
  const Value set = Bound("strip", arguments, {"chars"}).value("chars", nullptr);
  if (set.is_none()) return text::strip(self.string(), kSide);
  if (!set.is_string()) throw TemplateError(cat("'strip' wants a string, found ", set.kind()));
  return text::strip(self.string(), kSide, &set.string());
}

template <bool kFromRight>
Value split(const Value& self, const Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const Value separator = bound.value("sep", nullptr);
  const auto most = static_cast<long>(bound.integer("maxsplit", -1));
  if (separator.is_none()) {
    if (kFromRight && most >= 0) throw TemplateError("'rsplit' with a limit needs a separator");
    return texts(text::split_words(self.string(), most));
  }
  const std::string by = bound.text("sep", "");
  if (by.empty()) throw TemplateError("'split' needs a separator that is not empty");
  return texts(kFromRight ? text::split_from_right(self.string(), by, most) : text::split(self.string(), by, most));
}

bool ends(const std::string& text, const std::string& part, bool at_start) {
  return at_start ? text.starts_with(part) : text.ends_with(part);
}

template <bool kAtStart>
Value has_end(const Value& self, const Arguments& arguments) {
  const Value part = Bound(kAtStart ? "startswith" : "endswith", arguments, {"part"}).need("part");
  if (part.is_string()) return ends(self.string(), part.string(), kAtStart);
  if (!part.is_list()) throw TemplateError(cat("'startswith' and 'endswith' want a string, found ", part.kind()));
  const auto& parts = part.list().items;
  return std::any_of(parts.begin(), parts.end(),
                     [&](const Value& each) { return ends(self.string(), each.str(), kAtStart); });
}

template <bool kAtStart>
Value remove_end(const Value& self, const Arguments& arguments) {
  const std::string part = Bound("removeprefix", arguments, {"part"}).need("part").str();
  if (!ends(self.string(), part, kAtStart)) return self;
  const std::size_t rest = self.string().size() - part.size();
  return self.string().substr(kAtStart ? part.size() : 0, rest);
}

Value replace(const Value& self, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  bound.need("new");
  return text::replace(self.string(), bound.text("old", ""), bound.text("new", ""),
                       static_cast<long>(bound.integer("count", -1)));
}

/// In characters; -1 if it is not there.
template <bool kFromRight>
Value find(const Value& self, const Arguments& arguments) {
  const std::string part = Bound("find", arguments, {"sub"}).need("sub").str();
  const std::size_t at = kFromRight ? self.string().rfind(part) : self.string().find(part);
  if (at == std::string::npos) return std::int64_t{-1};
  return static_cast<std::int64_t>(text::characters(std::string_view(self.string()).substr(0, at)).size());
}

Value count(const Value& self, const Arguments& arguments) {
  const Value what = Bound("count", arguments, {"sub"}).need("sub");
  if (self.is_list()) {
    return static_cast<std::int64_t>(std::count(self.list().items.begin(), self.list().items.end(), what));
  }
  if (what.str().empty()) return self.length() + 1;
  return static_cast<std::int64_t>(text::split(self.string(), what.str(), -1).size()) - 1;
}

Value join(const Value& self, const Arguments& arguments) {
  std::string out;
  const std::vector<Value> items = Bound("join", arguments, {"items"}).need("items").items();
  for (std::size_t index = 0; index < items.size(); ++index) {
    if (!items[index].is_string()) throw TemplateError(cat("'join' wants strings, found ", items[index].kind()));
    out += (index == 0 ? "" : self.string()) + items[index].string();
  }
  return out;
}

/// "{} {0} {name}".format(...): fields without a format of their own.
Value format(const Value& self, const Arguments& arguments) {
  std::string out;
  std::size_t next = 0;
  const std::string& pattern = self.string();
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const bool brace = pattern[at] == '{' || pattern[at] == '}';
    if (!brace || (at + 1 < pattern.size() && pattern[at + 1] == pattern[at])) {
      out += pattern[at];
      at += brace ? 1 : 0;
      continue;
    }
    const std::size_t end = pattern.find('}', at);
    if (pattern[at] == '}' || end == std::string::npos) throw TemplateError(cat("the format '", pattern, "' is broken"));
    const std::string field = pattern.substr(at + 1, end - at - 1);
    at = end;
    const auto named = std::find_if(arguments.keyword.begin(), arguments.keyword.end(),
                                    [&](const auto& entry) { return entry.first == field; });
    if (named != arguments.keyword.end()) {
      out += named->second.str();
      continue;
    }
    if (field.size() > 3 || !std::all_of(field.begin(), field.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      throw TemplateError(cat("the field '{", field, "}' of a format is not supported"));
    }
    const std::size_t index = field.empty() ? next++ : std::stoul(field);
    if (index >= arguments.positional.size()) throw TemplateError(cat("the format '", pattern, "' wants more values"));
    out += arguments.positional[index].str();
  }
  return out;
}

template <std::string (*kRecase)(std::string_view)>
Value recase(const Value& self, const Arguments& arguments) {
  Bound("upper, lower, title or capitalize", arguments, {});
  return kRecase(self.string());
}

template <bool (*kIs)(char32_t)>
Value all(const Value& self, const Arguments&) {
  return text::all_of(self.string(), kIs);
}

bool is_letter_or_digit(char32_t character) { return text::is_letter(character) || text::is_digit(character); }
bool is_white(char32_t character) { return text::strip(text::utf8_of({&character, 1}), text::Side::kBoth).empty(); }

const std::map<std::string, Method>& string_methods() {
  static const std::map<std::string, Method> kMethods{
      {"strip", strip<text::Side::kBoth>},
      {"lstrip", strip<text::Side::kLeft>},
      {"rstrip", strip<text::Side::kRight>},
      {"split", split<false>},
      {"rsplit", split<true>},
      {"splitlines", [](const Value& self, const Arguments&) { return texts(text::lines(self.string())); }},
      {"startswith", has_end<true>},
      {"endswith", has_end<false>},
      {"removeprefix", remove_end<true>},
      {"removesuffix", remove_end<false>},
      {"replace", replace},
      {"find", find<false>},
      {"rfind", find<true>},
      {"count", count},
      {"join", join},
      {"format", format},
      {"upper", recase<text::upper>},
      {"lower", recase<text::lower>},
      {"title", recase<text::title>},
      {"capitalize", recase<text::capitalize>},
      {"isdigit", all<text::is_digit>},
      {"isnumeric", all<text::is_digit>},
      {"isdecimal", all<text::is_digit>},
      {"isalpha", all<text::is_letter>},
      {"isalnum", all<is_letter_or_digit>},
      {"isspace", all<is_white>},
      {"isupper",
       [](const Value& self, const Arguments&) {
         return Value(text::upper(self.string()) == self.string() && text::lower(self.string()) != self.string());
       }},
      {"islower",
       [](const Value& self, const Arguments&) {
         return Value(text::lower(self.string()) == self.string() && text::upper(self.string()) != self.string());
       }},
  };
  return kMethods;
}

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

const std::map<std::string, Method>& dict_methods() {
  static const std::map<std::string, Method> kMethods{
      {"items", dict_items},
      {"keys", [](const Value& self, const Arguments&) { return Value::list(self.items()); }},
      {"values", dict_values},
      {"get", dict_get},
      {"copy", [](const Value& self, const Arguments&) { return Value(std::make_shared<Dict>(self.dict())); }},
  };
  return kMethods;
}

Value list_index(const Value& self, const Arguments& arguments) {
  const auto& items = self.list().items;
  const Value what = Bound("index", arguments, {"value"}).need("value");
  const auto found = std::find(items.begin(), items.end(), what);
  if (found == items.end()) throw TemplateError(cat(what.repr(), " is not in the list"));
  return static_cast<std::int64_t>(found - items.begin());
}

const std::map<std::string, Method>& list_methods() {
  static const std::map<std::string, Method> kMethods{
      {"index", list_index},
      {"count", count},
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
  static const std::map<std::string, Method> kNone;
  const auto& methods = object.is_string() ? string_methods()
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

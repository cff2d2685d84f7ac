#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kvmesh::llm::jinja {

/// What goes wrong inside a template, without file and line: the one who renders adds them.
class TemplateError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Value;
class Context;

/// What a call hands over. Keyword arguments keep their order.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

struct Undefined {
  std::string name;  ///< what was not there, for messages
};
struct List {
  std::vector<Value> items;
  bool is_tuple = false;
};
struct Dict {
  std::vector<std::pair<Value, Value>> entries;

  const Value* find(const Value& key) const;
  void set(Value key, Value value);
};
struct Function {
  std::string name;
  std::function<Value(Context&, const Arguments&)> call;
};
/// A thing with attributes: namespace() and `loop`, which a recursive loop's body can also call.
struct Namespace {
  Dict attributes;
  std::shared_ptr<const Function> call;
};

/// A value of the template language, with Python's meaning. Copies share lists, dicts and namespaces.
class Value {
 public:
  using Storage =
      std::variant<Undefined, std::nullptr_t, bool, std::int64_t, double, std::string, std::shared_ptr<List>,
                   std::shared_ptr<Dict>, std::shared_ptr<Namespace>, std::shared_ptr<const Function>>;

  Value() : storage_(Undefined{}) {}
  Value(Undefined undefined) : storage_(std::move(undefined)) {}
  Value(std::nullptr_t) : storage_(nullptr) {}
  Value(bool boolean) : storage_(boolean) {}
  Value(std::int64_t integer) : storage_(integer) {}
  Value(double number) : storage_(number) {}
  Value(std::string text) : storage_(std::move(text)) {}
  Value(std::string_view text) : storage_(std::string(text)) {}
  Value(const char* text) : storage_(std::string(text)) {}
  Value(std::shared_ptr<Dict> dict) : storage_(std::move(dict)) {}
  Value(std::shared_ptr<Namespace> names) : storage_(std::move(names)) {}
  Value(Function function) : storage_(std::make_shared<const Function>(std::move(function))) {}

  static Value list(std::vector<Value> items) { return Value(std::make_shared<List>(List{std::move(items), false})); }
  static Value tuple(std::vector<Value> items) { return Value(std::make_shared<List>(List{std::move(items), true})); }
  static Value from_json(const nlohmann::json& json);
  static Value from_json(const nlohmann::ordered_json& json);

  bool is_undefined() const { return holds<Undefined>(); }
  bool is_none() const { return holds<std::nullptr_t>(); }
  bool is_boolean() const { return holds<bool>(); }
  bool is_integer() const { return holds<std::int64_t>(); }
  bool is_float() const { return holds<double>(); }
  bool is_number() const { return is_integer() || is_float() || is_boolean(); }
  bool is_string() const { return holds<std::string>(); }
  bool is_list() const { return holds<std::shared_ptr<List>>(); }
  bool is_dict() const { return holds<std::shared_ptr<Dict>>(); }
  bool is_namespace() const { return holds<std::shared_ptr<Namespace>>(); }
  bool is_function() const { return holds<std::shared_ptr<const Function>>(); }

  const std::string& string() const { return std::get<std::string>(storage_); }
  const List& list() const { return *std::get<std::shared_ptr<List>>(storage_); }
  const Dict& dict() const { return *std::get<std::shared_ptr<Dict>>(storage_); }
  Namespace& names() const { return *std::get<std::shared_ptr<Namespace>>(storage_); }
  const Function& function() const { return *std::get<std::shared_ptr<const Function>>(storage_); }
  const Undefined& undefined() const { return std::get<Undefined>(storage_); }

  /// A whole number, also of a boolean. Throws TemplateError for anything else.
  std::int64_t integer() const;
  /// Any number. Throws TemplateError for anything else.
  double number() const;

  bool truthy() const;
  /// What {{ }} prints.
  std::string str() const;
  /// What stands inside a printed list: strings in quotes.
  std::string repr() const;
  /// "a string", "a list": for messages.
  std::string kind() const;

  /// What a loop walks over: items, keys, characters. Throws TemplateError for what has none.
  std::vector<Value> items() const;
  std::int64_t length() const;

 private:
  explicit Value(std::shared_ptr<List> list) : storage_(std::move(list)) {}

  template <typename T>
  bool holds() const {
    return std::holds_alternative<T>(storage_);
  }

  Storage storage_;
};

bool operator==(const Value& left, const Value& right);

/// Python's `<`. Throws TemplateError for what has no order.
bool less(const Value& left, const Value& right);

/// Is `item` in `container`: an item, a key, a part of a string.
bool contains(const Value& container, const Value& item);

/// Python's json.dumps(ensure_ascii=False).
struct JsonStyle {
  std::optional<std::string> indent;  ///< what a level is indented by; none: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
  bool ascii_only = false;
};
std::string to_json(const Value& value, const JsonStyle& style);

/// Python's repr of a float: "1.0", "1e-05".
std::string float_text(double number);

}  // namespace kvmesh::llm::jinja

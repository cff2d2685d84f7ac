#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "llm/text/jinja/budget.hpp"

namespace kvmesh::llm::jinja {

class Value;
class Context;
class Object;

/// What a call hands over. Keyword arguments keep their order.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

/// What was not there; its name is for messages, and is cut where it is long.
struct Undefined {
  explicit Undefined(std::string_view whole_name);
  std::shared_ptr<const std::string> name;
};
struct Text {
  std::string utf8;
  bool is_markup = false;  ///< Python's Markup: text that escaping leaves as it is
  Charge charge;
};
/// What Python has besides lists. Views and ranges are not lists: they print, compare and add as themselves. A
/// generator is walked over once.
enum class ListKind { kList, kTuple, kGroup, kRange, kKeys, kValues, kItems, kGenerator };
struct List {
  std::vector<Value> items;
  ListKind kind = ListKind::kList;
  int depth = 1;  ///< of values inside each other
  Charge charge;
  std::int64_t start = 0, stop = 0, step = 1;  ///< of a range
  mutable std::size_t walked = 0;              ///< of a generator: how many items are gone
};
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  int depth = 1;
  Charge charge;

  const Value* find(Budget& budget, const Value& key) const;
  const Value* find(Budget& budget, std::string_view key) const;
  void set(Budget& budget, Value key, Value value);

 private:
  std::size_t place(Budget& budget, const Value& key) const;
  std::size_t place(Budget& budget, std::string_view key) const;
};
struct Function {
  std::string name;
  std::function<Value(Context&, const Arguments&)> call;
  int depth = 1;  ///< one more than that of a value which it is bound to
  Charge charge;
};

/// A value of the template language, with Python's meaning. It does not change, save for objects (object.hpp); copies
/// share what they hold. Values inside each other are at most kDeepest deep, so that no walk over them uses up the
/// stack.
class Value {
 public:
  static constexpr int kDeepest = 400;
  static constexpr std::size_t kItemBytes = 64;  ///< what an item of a list costs: itself and a share of what it holds

  Value() = default;  ///< none
  Value(Undefined undefined) : storage_(std::move(undefined)) {}
  Value(std::nullptr_t) : storage_(nullptr) {}
  Value(bool boolean) : storage_(boolean) {}
  Value(std::int64_t integer) : storage_(integer) {}
  Value(double number) : storage_(number) {}
  Value(Budget& budget, std::string utf8, bool is_markup = false);
  Value(Budget& budget, Dict dict);
  Value(Budget& budget, Function function);
  Value(std::shared_ptr<Object> object) : storage_(std::move(object)) {}
  template <typename Pointee>
  Value(const Pointee*) = delete;  // it would become a boolean

  static Value list(Budget& budget, std::vector<Value> items, ListKind kind = ListKind::kList);
  static Value tuple(Budget& budget, std::vector<Value> items) {
    return list(budget, std::move(items), ListKind::kTuple);
  }
  static Value range(Budget& budget, std::int64_t start, std::int64_t stop, std::int64_t step);

  // These cost nothing: they belong to the parsed template, to the language or to the caller.
  static Value constant(std::string utf8);
  static Value constant(std::vector<Value> items);
  static Value constant(Dict dict);
  static Value constant(Function function);
  static Value from_json(const nlohmann::json& json);
  static Value from_json(const nlohmann::ordered_json& json);

  bool is_undefined() const { return holds<Undefined>(); }
  bool is_none() const { return holds<std::nullptr_t>(); }
  bool is_boolean() const { return holds<bool>(); }
  bool is_integer() const { return holds<std::int64_t>(); }
  bool is_float() const { return holds<double>(); }
  bool is_number() const { return is_integer() || is_float() || is_boolean(); }
  bool is_string() const { return holds<std::shared_ptr<const Text>>(); }
  bool is_markup() const { return is_string() && std::get<std::shared_ptr<const Text>>(storage_)->is_markup; }
  bool is_list() const { return holds<std::shared_ptr<const List>>(); }
  bool is(ListKind kind) const { return is_list() && list().kind == kind; }
  /// A list or a tuple: what has a length, an order and `+`.
  bool is_sequence() const { return is(ListKind::kList) || is(ListKind::kTuple) || is(ListKind::kGroup); }
  bool is_dict() const { return holds<std::shared_ptr<const Dict>>(); }
  bool is_object() const { return holds<std::shared_ptr<Object>>(); }
  bool is_function() const { return holds<std::shared_ptr<const Function>>(); }

  const std::string& string() const { return std::get<std::shared_ptr<const Text>>(storage_)->utf8; }
  const List& list() const { return *std::get<std::shared_ptr<const List>>(storage_); }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(storage_); }
  Object& object() const { return *std::get<std::shared_ptr<Object>>(storage_); }
  const Function& function() const { return *std::get<std::shared_ptr<const Function>>(storage_); }
  const std::string& missing_name() const { return *std::get<Undefined>(storage_).name; }

  /// A whole number, also of a boolean. Throws TemplateError for anything else.
  std::int64_t integer() const;
  /// Any number. Throws TemplateError for anything else.
  double number() const;

  bool truthy() const;
  bool is_callable() const;
  /// "a string", "a list": for messages.
  std::string kind() const;
  /// How many values are inside each other here; objects count as one.
  int depth() const;
  /// About how many bytes an operation looks at that walks over this value once, and not into its items.
  std::size_t extent() const;

  /// What a loop walks over: items, keys, characters. Walks a generator to its end. Throws TemplateError for what has
  /// none.
  std::vector<Value> items(Budget& budget) const;
  std::int64_t length() const;

 private:
  explicit Value(std::shared_ptr<const List> list) : storage_(std::move(list)) {}
  template <typename T>
  bool holds() const {
    return std::holds_alternative<T>(storage_);
  }

  std::variant<Undefined, std::nullptr_t, bool, std::int64_t, double, std::shared_ptr<const Text>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Object>,
               std::shared_ptr<const Function>>
      storage_ = nullptr;
};

}  // namespace kvmesh::llm::jinja

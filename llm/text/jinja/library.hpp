#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/text/jinja/context.hpp"

/// What the language brings along. Throws TemplateError for a name that is not known, quoting it.
namespace kvmesh::llm::jinja {

Value apply_filter(Context& context, const std::string& name, const Value& input, const Arguments& arguments);

/// Is there a filter of this name, a test?
bool has_filter(const std::string& name);
bool has_test(const std::string& name);

bool apply_test(Context& context, const std::string& name, const Value& input, const Arguments& arguments);

/// `object.name` as Python sees it: a method, else an item; undefined if there is neither.
Value attribute(Context& context, const Value& object, std::string_view name);

/// `object[key]`: an item, else a method.
Value subscript(Context& context, const Value& object, const Value& key);

/// The method `name` of a string, mapping or list, bound to it; undefined if there is none.
Value find_method(Context& context, const Value& object, std::string_view name);

/// `callee(arguments)`.
Value call(Context& context, const Value& callee, const Arguments& arguments);

/// range, namespace, dict, joiner, cycler, raise_exception, strftime_now.
void define_globals(Context& context);

/// strftime_now(format)
Value strftime_now(Context& context, const Arguments& arguments);

/// Arguments by name. Each has its place in `names`, and may be left out.
class Bound {
 public:
  Bound(const std::string& function, const Arguments& arguments, std::vector<std::string> names);

  bool has(const std::string& name) const { return find(name) != nullptr; }
  Value value(const std::string& name, Value missing) const;
  /// Throws TemplateError if it was left out.
  Value need(const std::string& name) const;
  std::string text(const std::string& name, const std::string& missing) const;
  bool flag(const std::string& name, bool missing) const;
  std::int64_t integer(const std::string& name, std::int64_t missing) const;
  /// A number of things: below 0 is 0.
  std::size_t count(const std::string& name, std::int64_t missing) const;

 private:
  const Value* find(const std::string& name) const;

  std::string function_;
  std::vector<std::string> names_;
  std::vector<std::pair<std::string, Value>> values_;
};

}  // namespace kvmesh::llm::jinja

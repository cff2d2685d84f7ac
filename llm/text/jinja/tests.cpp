#include <map>

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/operators.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

using Simple = bool (*)(const Value&);
using Against = bool (*)(const Value&, const Value&);

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is_list() || value.is_dict();
}

bool has_rest(const Value& value, std::int64_t divisor, bool rest) {
  return (calculate("%", value, Value(divisor)).number() != 0.0) == rest;
}

/// Is every letter in this case, and is there one at all.
bool is_cased(const Value& value, std::string (*recase)(std::string_view), std::string (*other)(std::string_view)) {
  const std::string text = value.str();
  return text == recase(text) && text != other(text);
}

const std::map<std::string, Simple>& simple_tests() {
  static const std::map<std::string, Simple> kTests{
      {"defined", [](const Value& value) { return !value.is_undefined(); }},
      {"undefined", [](const Value& value) { return value.is_undefined(); }},
      {"none", [](const Value& value) { return value.is_none(); }},
      {"boolean", [](const Value& value) { return value.is_boolean(); }},
      {"true", [](const Value& value) { return value.is_boolean() && value.truthy(); }},
      {"false", [](const Value& value) { return value.is_boolean() && !value.truthy(); }},
      {"integer", [](const Value& value) { return value.is_integer(); }},
      {"float", [](const Value& value) { return value.is_float(); }},
      {"number", [](const Value& value) { return value.is_number(); }},
      {"string", [](const Value& value) { return value.is_string(); }},
      {"mapping", [](const Value& value) { return value.is_dict(); }},
      {"sequence", is_iterable},
      {"iterable", is_iterable},
      {"callable", [](const Value& value) { return value.is_function(); }},
      {"odd", [](const Value& value) { return has_rest(value, 2, true); }},
      {"even", [](const Value& value) { return has_rest(value, 2, false); }},
      {"lower", [](const Value& value) { return is_cased(value, text::lower, text::upper); }},
      {"upper", [](const Value& value) { return is_cased(value, text::upper, text::lower); }},
      {"escaped", [](const Value&) { return false; }},
      {"filter", [](const Value& value) { return value.is_string() && has_filter(value.string()); }},
      {"test", [](const Value& value) { return value.is_string() && has_test(value.string()); }},
  };
  return kTests;
}

const std::map<std::string, Against>& comparing_tests() {
  static const Against kEqual = [](const Value& left, const Value& right) { return left == right; };
  static const Against kDifferent = [](const Value& left, const Value& right) { return !(left == right); };
  static const Against kLess = [](const Value& left, const Value& right) { return less(left, right); };
  static const Against kMore = [](const Value& left, const Value& right) { return less(right, left); };
  static const Against kAtMost = [](const Value& left, const Value& right) { return compare("<=", left, right); };
  static const Against kAtLeast = [](const Value& left, const Value& right) { return compare(">=", left, right); };
  static const std::map<std::string, Against> kTests{
      {"==", kEqual},
      {"eq", kEqual},
      {"equalto", kEqual},
      {"!=", kDifferent},
      {"ne", kDifferent},
      {"<", kLess},
      {"lt", kLess},
      {"lessthan", kLess},
      {">", kMore},
      {"gt", kMore},
      {"greaterthan", kMore},
      {"<=", kAtMost},
      {"le", kAtMost},
      {">=", kAtLeast},
      {"ge", kAtLeast},
      {"in", [](const Value& left, const Value& right) { return contains(right, left); }},
      {"sameas", [](const Value& left, const Value& right) { return left.kind() == right.kind() && left == right; }},
      {"divisibleby", [](const Value& left, const Value& right) { return has_rest(left, right.integer(), false); }},
  };
  return kTests;
}

}  // namespace

bool has_test(const std::string& name) { return simple_tests().contains(name) || comparing_tests().contains(name); }

bool apply_test(Context&, const std::string& name, const Value& input, const Arguments& arguments) {
  const auto simple = simple_tests().find(name);
  if (simple != simple_tests().end()) {
    Bound(name, arguments, {});
    return simple->second(input);
  }
  const auto against = comparing_tests().find(name);
  if (against == comparing_tests().end()) throw TemplateError(cat("the test 'is ", name, "' is not supported"));
  return against->second(input, Bound(name, arguments, {"other"}).need("other"));
}

}  // namespace kvmesh::llm::jinja

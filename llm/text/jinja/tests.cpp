#include <map>

#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/operators.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

using Simple = bool (*)(Budget&, const Value&);
using Against = bool (*)(Budget&, const Value&, const Value&);

bool is_iterable(Budget&, const Value& value) {
  return value.is_undefined() || value.is_string() || value.is_list() || value.is_dict();
}

/// What has a length and items with numbers.
bool is_sequence(Budget&, const Value& value) {
  const bool indexed = value.is_sequence() || value.is(ListKind::kRange);
  return value.is_string() || value.is_dict() || value.is_undefined() || indexed;
}

/// The remainder is `rest`, which is 0 or 1.
bool leaves(Budget& budget, const Value& value, const Value& divisor, double rest) {
  return calculate(budget, "%", value, divisor).number() == rest;
}

/// Is every letter in this case, and is there one at all.
bool is_cased(Budget& budget, const Value& value, std::string (*recase)(std::string_view),
              std::string (*other)(std::string_view)) {
  const std::string text = str(budget, value);
  return text == recase(text) && text != other(text);
}

/// Python's `is`: numbers and texts by what they are, all else by where it is.
bool is_same(Budget& budget, const Value& left, const Value& right) {
  if (left.is_list() && right.is_list()) return &left.list() == &right.list();
  if (left.is_dict() && right.is_dict()) return &left.dict() == &right.dict();
  return left.kind() == right.kind() && equal(budget, left, right);
}

const std::map<std::string, Simple>& simple_tests() {
  static const std::map<std::string, Simple> kTests{
      {"defined", [](Budget&, const Value& value) { return !value.is_undefined(); }},
      {"undefined", [](Budget&, const Value& value) { return value.is_undefined(); }},
      {"none", [](Budget&, const Value& value) { return value.is_none(); }},
      {"boolean", [](Budget&, const Value& value) { return value.is_boolean(); }},
      {"true", [](Budget&, const Value& value) { return value.is_boolean() && value.truthy(); }},
      {"false", [](Budget&, const Value& value) { return value.is_boolean() && !value.truthy(); }},
      {"integer", [](Budget&, const Value& value) { return value.is_integer(); }},
      {"float", [](Budget&, const Value& value) { return value.is_float(); }},
      {"number", [](Budget&, const Value& value) { return value.is_number(); }},
      {"string", [](Budget&, const Value& value) { return value.is_string(); }},
      {"mapping", [](Budget&, const Value& value) { return value.is_dict(); }},
      {"sequence", is_sequence},
      {"iterable", is_iterable},
      {"callable", [](Budget&, const Value& value) { return value.is_callable() || value.is_undefined(); }},
      {"odd", [](Budget& budget, const Value& value) { return leaves(budget, value, std::int64_t{2}, 1); }},
      {"even", [](Budget& budget, const Value& value) { return leaves(budget, value, std::int64_t{2}, 0); }},
      {"lower", [](Budget& budget, const Value& value) { return is_cased(budget, value, text::lower, text::upper); }},
      {"upper", [](Budget& budget, const Value& value) { return is_cased(budget, value, text::upper, text::lower); }},
      {"escaped", [](Budget&, const Value& value) { return value.is_markup(); }},
      {"filter", [](Budget&, const Value& value) { return value.is_string() && has_filter(value.string()); }},
      {"test", [](Budget&, const Value& value) { return value.is_string() && has_test(value.string()); }},
  };
  return kTests;
}

const std::map<std::string, Against>& comparing_tests() {
  static const Against kEqual = [](Budget& budget, const Value& left, const Value& right) {
    return equal(budget, left, right);
  };
  static const Against kDifferent = [](Budget& budget, const Value& left, const Value& right) {
    return !equal(budget, left, right);
  };
  static const Against kLess = [](Budget& budget, const Value& left, const Value& right) {
    return less(budget, left, right);
  };
  static const Against kMore = [](Budget& budget, const Value& left, const Value& right) {
    return less(budget, right, left);
  };
  static const Against kAtMost = [](Budget& budget, const Value& left, const Value& right) {
    return compare(budget, "<=", left, right);
  };
  static const Against kAtLeast = [](Budget& budget, const Value& left, const Value& right) {
    return compare(budget, ">=", left, right);
  };
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
      {"in", [](Budget& budget, const Value& left, const Value& right) { return contains(budget, right, left); }},
      {"sameas", is_same},
      {"divisibleby",
       [](Budget& budget, const Value& left, const Value& right) { return leaves(budget, left, right, 0); }},
  };
  return kTests;
}

}  // namespace

bool has_test(const std::string& name) { return simple_tests().contains(name) || comparing_tests().contains(name); }

bool apply_test(Context& context, const std::string& name, const Value& input, const Arguments& arguments) {
  const auto simple = simple_tests().find(name);
  if (simple != simple_tests().end()) {
    const Bound none(name, arguments, {});
    return simple->second(context.budget(), input);
  }
  const auto against = comparing_tests().find(name);
  if (against == comparing_tests().end()) refuse("the test 'is ", text::excerpt(name), "' is not supported");
  return against->second(context.budget(), input, Bound(name, arguments, {"other"}).need("other"));
}

}  // namespace kvmesh::llm::jinja

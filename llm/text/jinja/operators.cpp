#include "llm/text/jinja/operators.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.hpp"
#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr std::int64_t kLongest = std::int64_t{1} << 26;  ///< of what `*` repeats; more cannot be meant

[[noreturn]] void refuse(const std::string& symbol, const Value& left, const Value& right) {
  throw TemplateError(cat("'", symbol, "' does not go with ", left.kind(), " and ", right.kind()));
}

Value whole(const std::string& symbol, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  bool overflow = false;
  if (symbol == "+") {
    overflow = __builtin_add_overflow(left, right, &result);
  } else if (symbol == "-") {
    overflow = __builtin_sub_overflow(left, right, &result);
  } else {
    overflow = __builtin_mul_overflow(left, right, &result);
  }
  if (overflow) throw TemplateError(cat(left, " ", symbol, " ", right, " is too large"));
  return result;
}

Value divide(const std::string& symbol, const Value& left, const Value& right) {
  if (right.number() == 0.0) throw TemplateError(cat(left.repr(), " ", symbol, " 0 is a division by zero"));
  if (symbol == "/") return left.number() / right.number();
  if (left.is_float() || right.is_float()) {
    const double quotient = std::floor(left.number() / right.number());
    return symbol == "//" ? quotient : left.number() - quotient * right.number();
  }
  const std::int64_t divisor = right.integer();
  if (divisor == -1) return symbol == "//" ? whole("-", 0, left.integer()) : Value(std::int64_t{0});
  std::int64_t quotient = left.integer() / divisor;
  std::int64_t rest = left.integer() % divisor;
  if (rest != 0 && (rest < 0) != (divisor < 0)) {
    --quotient;
    rest += divisor;
  }
  return symbol == "//" ? quotient : rest;
}

Value power(const Value& base, const Value& exponent) {
  if (base.is_float() || exponent.is_float() || exponent.integer() < 0) {
    return std::pow(base.number(), exponent.number());
  }
  Value result(std::int64_t{1});
  const double size = std::pow(std::fabs(base.number()), exponent.number());
  if (size >= 9.2e18) throw TemplateError(cat(base.repr(), " ** ", exponent.repr(), " is too large"));
  if (std::abs(base.integer()) <= 1) {
    return base.integer() == -1 && exponent.integer() % 2 == 0 ? std::int64_t{1}
           : exponent.integer() == 0                           ? 1
                                                               : base.integer();
  }
  for (std::int64_t count = 0; count < exponent.integer(); ++count) {
    result = whole("*", result.integer(), base.integer());
  }
  return result;
}

Value numbers(const std::string& symbol, const Value& left, const Value& right) {
  if (symbol == "/" || symbol == "//" || symbol == "%") return divide(symbol, left, right);
  if (symbol == "**") return power(left, right);
  if (!left.is_float() && !right.is_float()) return whole(symbol, left.integer(), right.integer());
  if (symbol == "+") return left.number() + right.number();
  if (symbol == "-") return left.number() - right.number();
  return left.number() * right.number();
}

Value repeat(const Value& what, std::int64_t times) {
  if (what.length() > 0 && times > kLongest / what.length()) throw TemplateError("'*' makes this too long");
  if (what.is_string()) {
    std::string text;
    for (std::int64_t count = 0; count < times; ++count) text += what.string();
    return text;
  }
  std::vector<Value> items;
  for (std::int64_t count = 0; count < times; ++count) {
    items.insert(items.end(), what.list().items.begin(), what.list().items.end());
  }
  return what.list().is_tuple ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

Value joined_lists(const Value& left, const Value& right) {
  std::vector<Value> items = left.list().items;
  items.insert(items.end(), right.list().items.begin(), right.list().items.end());
  return left.list().is_tuple ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

/// The places that a slice takes from something of `length` items.
std::vector<std::size_t> places(std::int64_t length, const Value& start, const Value& stop, const Value& step) {
  const std::int64_t stride = step.is_none() ? 1 : step.integer();
  if (stride == 0) throw TemplateError("the step of a slice cannot be 0");
  const std::int64_t lowest = stride > 0 ? 0 : -1;
  const std::int64_t highest = stride > 0 ? length : length - 1;
  const auto bound = [&](const Value& value, std::int64_t missing) {
    if (value.is_none()) return missing;
    const std::int64_t at = value.integer();
    return std::clamp(at < 0 ? std::max(at, -length - 1) + length : at, lowest, highest);
  };
  const std::int64_t from = bound(start, stride > 0 ? lowest : highest);
  const std::int64_t to = bound(stop, stride > 0 ? highest : lowest);
  std::vector<std::size_t> out;
  if (stride > 0) {
    for (std::int64_t at = from; at < to; at += std::min(stride, length + 1))
      out.push_back(static_cast<std::size_t>(at));
  } else {
    for (std::int64_t at = from; at > to; at += std::max(stride, -length - 1))
      out.push_back(static_cast<std::size_t>(at));
  }
  return out;
}

}  // namespace

Value signed_number(const std::string& sign, const Value& operand) {
  if (!operand.is_number()) throw TemplateError(cat("'", sign, "' does not go with ", operand.kind()));
  if (operand.is_float()) return sign == "-" ? -operand.number() : operand.number();
  return whole(sign, 0, operand.integer());
}

Value calculate(const std::string& symbol, const Value& left, const Value& right) {
  if (symbol == "~") return left.str() + right.str();
  if (left.is_number() && right.is_number()) return numbers(symbol, left, right);
  if (symbol == "+") {
    if (left.is_string() && right.is_string()) return left.string() + right.string();
    if (left.is_list() && right.is_list() && left.list().is_tuple == right.list().is_tuple) {
      return joined_lists(left, right);
    }
  } else if (symbol == "*") {
    if ((left.is_string() || left.is_list()) && right.is_integer()) return repeat(left, right.integer());
    if ((right.is_string() || right.is_list()) && left.is_integer()) return repeat(right, left.integer());
  } else if (symbol == "%" && left.is_string()) {
    return format_percent(left.string(), right);
  }
  refuse(symbol, left, right);
}

bool compare(const std::string& symbol, const Value& left, const Value& right) {
  if (symbol == "==") return left == right;
  if (symbol == "!=") return !(left == right);
  if (symbol == "in") return contains(right, left);
  if (symbol == "not in") return !contains(right, left);
  if (symbol == "<") return less(left, right);
  if (symbol == ">") return less(right, left);
  return symbol == "<=" ? less(left, right) || left == right : less(right, left) || left == right;
}

Value slice(const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.is_string()) {
    const std::u32string characters = text::characters(object.string());
    std::u32string out;
    for (const std::size_t at : places(static_cast<std::int64_t>(characters.size()), start, stop, step)) {
      out.push_back(characters[at]);
    }
    return text::utf8_of(out);
  }
  if (!object.is_list()) throw TemplateError(cat("cannot take a slice of ", object.kind()));
  std::vector<Value> out;
  for (const std::size_t at : places(object.length(), start, stop, step)) out.push_back(object.list().items[at]);
  return object.list().is_tuple ? Value::tuple(std::move(out)) : Value::list(std::move(out));
}

}  // namespace kvmesh::llm::jinja

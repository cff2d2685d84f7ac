#include "llm/text/jinja/operators.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/markup.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

[[noreturn]] void refuse_operands(const std::string& symbol, const Value& left, const Value& right) {
  refuse("'", symbol, "' does not go with ", left.kind(), " and ", right.kind());
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
  if (overflow) refuse(left, " ", symbol, " ", right, " does not fit the 64 bits of a whole number");
  return result;
}

Value divide_reals(const std::string& symbol, double left, double right) {
  // Python's: the remainder has the divisor's sign, and the quotient goes with it.
  double rest = std::fmod(left, right);
  double quotient = (left - rest) / right;
  if (rest != 0.0 && (right < 0) != (rest < 0)) {
    rest += right;
    quotient -= 1.0;
  } else if (rest == 0.0) {
    rest = std::copysign(0.0, right);
  }
  if (symbol == "%") return rest;
  if (quotient == 0.0) return std::copysign(0.0, left / right);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

Value divide(const std::string& symbol, const Value& left, const Value& right) {
  if (right.number() == 0.0) refuse("'", symbol, "' divides by zero");
  if (symbol == "/") return left.number() / right.number();
  if (left.is_float() || right.is_float()) return divide_reals(symbol, left.number(), right.number());
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
    if (base.number() == 0.0 && exponent.number() < 0) refuse("0 to a negative power divides by zero");
    return std::pow(base.number(), exponent.number());
  }
  std::int64_t result = 1;
  std::int64_t factor = base.integer();
  for (std::int64_t rest = exponent.integer(); rest > 0; rest /= 2) {
    if (rest % 2 == 1) result = whole("*", result, factor).integer();
    if (rest > 1 && factor != 0 && factor != 1) factor = whole("*", factor, factor).integer();
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

Value repeat(Budget& budget, const Value& what, std::int64_t count) {
  const auto times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  if (what.is_string()) {
    TextBuilder out(budget);
    out.append_repeated(what.string(), times);
    return out.take_value(what.is_markup());
  }
  const std::vector<Value>& items = what.list().items;
  budget.need_room(times, items.size() * Value::kItemBytes);
  budget.step(times * items.size() / 16);
  std::vector<Value> out;
  out.reserve(times * items.size());
  for (std::size_t index = 0; index < times && !items.empty(); ++index) {
    out.insert(out.end(), items.begin(), items.end());
  }
  return Value::list(budget, std::move(out), what.list().kind);
}

Value added_texts(Budget& budget, const Value& left, const Value& right) {
  const bool markup = left.is_markup() || right.is_markup();
  const Value first = markup ? escaped(budget, left) : left;
  const Value second = markup ? escaped(budget, right) : right;
  budget.step((first.string().size() + second.string().size()) / 512);
  TextBuilder out(budget);
  out.append(first.string());
  out.append(second.string());
  return out.take_value(markup);
}

Value added_lists(Budget& budget, const Value& left, const Value& right) {
  budget.read(left.extent() + right.extent());
  std::vector<Value> items = left.list().items;
  items.insert(items.end(), right.list().items.begin(), right.list().items.end());
  return Value::list(budget, std::move(items), left.list().kind);
}

/// What a slice takes from something of a known length.
struct Places {
  std::int64_t from;
  std::int64_t to;
  std::int64_t stride;

  std::int64_t count() const {
    if (stride > 0 ? from >= to : from <= to) return 0;
    const std::uint64_t distance = static_cast<std::uint64_t>(stride > 0 ? to - from : from - to);
    const std::uint64_t step =
        stride > 0 ? static_cast<std::uint64_t>(stride) : std::uint64_t{0} - static_cast<std::uint64_t>(stride);
    return static_cast<std::int64_t>((distance - 1) / step + 1);
  }
};

Places places(std::int64_t length, const Value& start, const Value& stop, const Value& step) {
  const std::int64_t stride = step.is_none() ? 1 : step.integer();
  if (stride == 0) refuse("the step of a slice cannot be 0");
  const std::int64_t lowest = stride > 0 ? 0 : -1;
  const std::int64_t highest = stride > 0 ? length : length - 1;
  const auto bound = [&](const Value& value, std::int64_t missing) {
    if (value.is_none()) return missing;
    const std::int64_t at = value.integer();
    return std::clamp(at < 0 ? std::max(at, -length - 1) + length : at, lowest, highest);
  };
  return {bound(start, stride > 0 ? lowest : highest), bound(stop, stride > 0 ? highest : lowest), stride};
}

Value slice_of_text(Budget& budget, const Value& object, const Value& start, const Value& stop, const Value& step) {
  const std::string& whole = object.string();
  budget.read(whole.size());
  const Places at = places(object.length(), start, stop, step);
  if (at.count() == 0) return Value(budget, "", object.is_markup());
  if (at.stride == 1) {
    const std::size_t from = text::place_of(whole, static_cast<std::size_t>(at.from));
    const std::size_t size =
        text::place_of(std::string_view(whole).substr(from), static_cast<std::size_t>(at.to - at.from));
    return Value(budget, whole.substr(from, size), object.is_markup());
  }
  std::vector<std::string_view> characters;
  budget.need_room(whole.size(), sizeof(std::string_view));
  text::each_character(whole, [&](std::string_view character) { characters.push_back(character); });
  TextBuilder out(budget);
  for (std::int64_t index = 0; index < at.count(); ++index) {
    out.append(characters[static_cast<std::size_t>(at.from + index * at.stride)]);
  }
  return out.take_value(object.is_markup());
}

}  // namespace

Value signed_number(const std::string& sign, const Value& operand) {
  if (!operand.is_number()) refuse("'", sign, "' does not go with ", operand.kind());
  if (operand.is_float()) return sign == "-" ? -operand.number() : operand.number();
  return whole(sign, 0, operand.integer());
}

Value calculate(Budget& budget, const std::string& symbol, const Value& left, const Value& right) {
  if (left.is_number() && right.is_number() && symbol != "~") return numbers(symbol, left, right);
  if (symbol == "~") {
    TextBuilder out(budget);
    print(out, left);
    print(out, right);
    return out.take_value();
  }
  if (symbol == "+") {
    if (left.is_string() && right.is_string()) return added_texts(budget, left, right);
    const bool alike =
        left.is_sequence() && right.is_sequence() && left.is(ListKind::kList) == right.is(ListKind::kList);
    if (alike) return added_lists(budget, left, right);
  } else if (symbol == "*") {
    const auto is_count = [](const Value& value) { return value.is_integer() || value.is_boolean(); };
    if ((left.is_string() || left.is_sequence()) && is_count(right)) return repeat(budget, left, right.integer());
    if ((right.is_string() || right.is_sequence()) && is_count(left)) return repeat(budget, right, left.integer());
  } else if (symbol == "%" && left.is_string()) {
    return format_percent(budget, left, right);
  }
  refuse_operands(symbol, left, right);
}

bool compare(Budget& budget, const std::string& symbol, const Value& left, const Value& right) {
  if (symbol == "==") return equal(budget, left, right);
  if (symbol == "!=") return !equal(budget, left, right);
  if (symbol == "in") return contains(budget, right, left);
  if (symbol == "not in") return !contains(budget, right, left);
  if (symbol == "<") return less(budget, left, right);
  if (symbol == ">") return less(budget, right, left);
  return symbol == "<=" ? less(budget, left, right) || equal(budget, left, right)
                        : less(budget, right, left) || equal(budget, left, right);
}

Value slice(Budget& budget, const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.is_string()) return slice_of_text(budget, object, start, stop, step);
  if (!object.is_sequence() && !object.is(ListKind::kRange)) refuse("cannot take a slice of ", object.kind());
  const List& list = object.list();
  const Places at = places(static_cast<std::int64_t>(list.items.size()), start, stop, step);
  if (list.kind == ListKind::kRange) {
    // Its items are numbers, so its parts can be told from their places.
    std::int64_t stride = 0;
    const auto number = [&](std::int64_t place) { return list.start + place * list.step; };
    if (__builtin_mul_overflow(list.step, at.stride, &stride)) stride = list.step > 0 ? INT64_MAX : -INT64_MAX;
    return Value::range(budget, number(at.from), number(at.to), stride);
  }
  std::vector<Value> out;
  budget.step(static_cast<std::size_t>(at.count()) / 8);
  for (std::int64_t index = 0; index < at.count(); ++index) {
    out.push_back(list.items[static_cast<std::size_t>(at.from + index * at.stride)]);
  }
  return Value::list(budget, std::move(out), list.kind == ListKind::kGroup ? ListKind::kTuple : list.kind);
}

}  // namespace kvmesh::llm::jinja

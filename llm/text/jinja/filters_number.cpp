#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "llm/text/jinja/filters.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/literals.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// None where Python's int() would refuse.
std::optional<std::int64_t> whole_of(double number) {
  if (!std::isfinite(number)) return std::nullopt;
  if (std::fabs(number) >= 9223372036854775808.0) refuse("the number ", number, " does not fit 64 bits");
  return static_cast<std::int64_t>(number);
}

Value to_float(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  if (input.is_undefined()) refuse("expected a number, found ", input.kind());
  if (input.is_number()) return input.number();
  const auto number = input.is_string() ? parse_float(input.string()) : std::nullopt;
  return number ? Value(*number) : bound.value("default", 0.0);
}

Value to_int(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  const Value missing = bound.value("default", std::int64_t{0});
  if (input.is_undefined()) refuse("expected a number, found ", input.kind());
  if (input.is_integer() || input.is_boolean()) return input.integer();
  if (input.is_float()) {
    const auto whole = whole_of(input.number());
    return whole ? Value(*whole) : missing;
  }
  if (!input.is_string()) return missing;
  const std::int64_t base = std::clamp<std::int64_t>(bound.integer("base", 10), -1, 37);
  if (const auto whole = parse_integer(input.string(), static_cast<int>(base))) return *whole;
  const auto number = parse_float(input.string());
  const auto whole = number ? whole_of(*number) : std::nullopt;
  return whole ? Value(*whole) : missing;
}

/// Python's round(): to the nearest decimal, the even one where two are as near.
double rounded(double number, int precision) {
  if (!std::isfinite(number)) return number;
  if (precision >= 0) {
    std::array<char, 700> text{};
    std::snprintf(text.data(), text.size(), "%.*f", precision, number);
    return std::strtod(text.data(), nullptr);
  }
  const double scale = std::pow(10.0, -precision);
  return std::isfinite(scale) ? std::nearbyint(number / scale) * scale : 0.0;
}

std::int64_t rounded(std::int64_t number, int precision) {
  if (precision >= 0) return number;
  std::int64_t scale = 1;
  for (int count = 0; count > precision; --count) {
    if (__builtin_mul_overflow(scale, 10, &scale)) return 0;
  }
  std::int64_t rest = number % scale;
  std::int64_t below = number / scale;
  if (rest < 0) rest += scale, below -= 1;
  const bool up = rest > scale - rest || (rest == scale - rest && below % 2 != 0);
  std::int64_t out = 0;
  if (__builtin_mul_overflow(below + (up ? 1 : 0), scale, &out)) refuse(number, " rounded does not fit 64 bits");
  return out;
}

Value round_number(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const auto precision = static_cast<int>(std::clamp<std::int64_t>(bound.integer("precision", 0), -320, 320));
  const std::string method = bound.text("method", "common");
  if (!input.is_number()) refuse("'round' wants a number, found ", input.kind());
  if (method == "common" && !input.is_float()) return rounded(input.integer(), precision);
  const double number = input.number();
  if (method == "common") return rounded(number, precision);
  const double scale = std::pow(10.0, precision);
  if (method != "ceil" && method != "floor") refuse("'round' has no method '", method, "'");
  return (method == "ceil" ? std::ceil(number * scale) : std::floor(number * scale)) / scale;
}

Value absolute(Context&, const Value& input, const Arguments&) {
  if (input.is_float()) return std::fabs(input.number());
  if (input.integer() == std::numeric_limits<std::int64_t>::min()) refuse("the number does not fit 64 bits");
  return input.integer() < 0 ? -input.integer() : input.integer();
}

}  // namespace

const Filters& number_filters() {
  static const Filters kFilters{
      {"int", to_int},
      {"float", to_float},
      {"round", round_number},
      {"abs", absolute},
  };
  return kFilters;
}

}  // namespace kvmesh::llm::jinja

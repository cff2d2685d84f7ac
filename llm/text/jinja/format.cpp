#include "llm/text/jinja/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr int kMostDigits = 1000;  ///< behind the point, or in front of a whole number

/// A number in its parts; zeros that fill a width go between the sign and the digits.
struct NumberText {
  std::string sign;  ///< with the prefix of its base
  std::string digits;
  std::string rest;  ///< from the point on
};

NumberText whole_text(std::int64_t value, const FormatSpec& spec) {
  const int base = is_one_of(spec.type, "xX") ? 16 : spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 10;
  const std::uint64_t size =
      value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::array<char, 80> digits{};
  NumberText out{value < 0 ? "-" : "",
                 {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), size, base).ptr},
                 ""};
  if (spec.type == 'X') {
    std::transform(out.digits.begin(), out.digits.end(), out.digits.begin(),
                   [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
  }
  const auto least = static_cast<std::size_t>(spec.precision.value_or(0));
  if (out.digits.size() < least) out.digits.insert(0, least - out.digits.size(), '0');
  if (spec.alternate && base != 10) out.sign += std::string("0") + spec.type;
  return out;
}

std::string printed(const char* directive, int precision, double value) {
  std::array<char, 2 * kMostDigits> text{};
  const int length = std::snprintf(text.data(), text.size(), directive, precision, value);
  return {text.data(), static_cast<std::size_t>(length)};
}

/// Python's format of a float without a type: as `g`, but with a digit behind the point.
std::string general_text(double value, const FormatSpec& spec) {
  if (!spec.precision) return float_text(value);
  const int precision = std::max(*spec.precision, 1);
  std::string text = printed("%.*g", precision, value);
  if (!std::isfinite(value)) return text;
  const int exponent = value == 0.0 ? 0 : static_cast<int>(std::floor(std::log10(std::fabs(value))));
  if (text.find_first_of(".e") == std::string::npos) {
    // The number of digits in front of the point reaches the precision: then Python writes an exponent.
    if (exponent >= precision - 1 && precision > 1) return text + ".0";
    if (exponent >= precision) return printed("%.*e", precision - 1, value);
    return precision == 1 ? printed("%.*e", 0, value) : text + ".0";
  }
  return text;
}

NumberText real_text(double value, const FormatSpec& spec) {
  const bool percent = spec.type == '%';
  const double size = std::fabs(percent ? value * 100 : value);
  std::string text;
  if (spec.type == '\0') {
    text = general_text(size, spec);
  } else {
    const char type = percent ? 'f' : spec.type == 'n' ? 'g' : spec.type;
    const std::string directive = cat(spec.alternate ? "%#.*" : "%.*", type);
    text = printed(directive.c_str(), spec.precision.value_or(6), size);
  }
  const std::size_t point = std::min(text.find_first_not_of("0123456789"), text.size());
  const bool negative = std::signbit(value) && !std::isnan(value);
  return {negative ? "-" : "", text.substr(0, point), text.substr(point) + (percent ? "%" : "")};
}

/// Thousands apart, or four digits where the base is not ten; at least `width` characters, filled with zeros.
std::string grouped(const std::string& digits, const FormatSpec& spec, std::size_t width) {
  const std::size_t size = is_one_of(spec.type, "xXob") ? 4 : 3;
  std::size_t count = digits.size();
  while (count + (count - 1) / size < width) ++count;
  const std::string padded = std::string(count - digits.size(), '0') + digits;
  std::string out;
  for (std::size_t index = 0; index < count; ++index) {
    if (index > 0 && (count - index) % size == 0) out += spec.grouping;
    out += padded[index];
  }
  return out;
}

}  // namespace

bool is_one_of(char type, std::string_view types) { return type != '\0' && types.find(type) != std::string_view::npos; }

std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end == text.data() || text.starts_with('-')) return std::nullopt;
  if (error != std::errc()) refuse("a number in a format is too large");
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

void append_padded(TextBuilder& out, const std::string& text, const FormatSpec& spec) {
  const std::size_t length = text::count_characters(text);
  const std::size_t missing = spec.width > length ? spec.width - length : 0;
  std::string fill;
  utf8::append(fill, spec.fill);
  std::size_t before = 0;
  std::size_t sign = 0;
  switch (spec.align) {
    case '>': before = missing; break;
    case '^': before = missing / 2; break;
    case 'c': before = missing / 2 + (missing & spec.width & 1); break;
    case '=':
      before = missing;
      sign = text.starts_with('-') || text.starts_with('+') || text.starts_with(' ') ? 1 : 0;
      break;
    default: break;
  }
  out.append(std::string_view(text).substr(0, sign));
  out.append_repeated(fill, before);
  out.append(std::string_view(text).substr(sign));
  out.append_repeated(fill, missing - before);
}

void append_number(TextBuilder& out, const Value& value, FormatSpec spec) {
  const bool real = is_one_of(spec.type, "eEfFgG%") || (is_one_of(spec.type, "n") && value.is_float()) ||
                    (spec.type == '\0' && value.is_float());
  if (spec.precision.value_or(0) > kMostDigits) {
    refuse("a format asks for ", *spec.precision, " digits, and ", kMostDigits, " is the most it may");
  }
  if (real && spec.type == 'F' && !std::isfinite(value.number())) spec.grouping = '\0';
  NumberText number = real ? real_text(value.number(), spec) : whole_text(value.integer(), spec);
  if (spec.sign != '-' && !number.sign.starts_with('-')) number.sign.insert(0, 1, spec.sign);
  if (spec.align == '\0') spec.align = '>';
  if (spec.grouping != '\0' && !number.digits.empty()) {
    const std::size_t others = number.sign.size() + number.rest.size();
    const bool zeros = spec.align == '=' && spec.fill == U'0' && spec.width > others;
    if (zeros) out.budget().need_room(spec.width, 2);
    number.digits = grouped(number.digits, spec, zeros ? spec.width - others : 0);
  }
  if (spec.align != '=') return append_padded(out, number.sign + number.digits + number.rest, spec);
  out.append(number.sign);
  spec.align = '>';
  spec.width -= std::min(spec.width, number.sign.size());
  append_padded(out, number.digits + number.rest, spec);
}

}  // namespace kvmesh::llm::jinja

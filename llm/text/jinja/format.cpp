#include "llm/text/jinja/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr std::string_view kWhole = "dxXob";
constexpr std::string_view kReal = "feEgG%F";

bool is_one_of(char type, std::string_view types) { return type != '\0' && types.find(type) != std::string_view::npos; }

/// The number at the start of `text`, which is passed; none where there is no digit.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end == text.data()) return std::nullopt;
  if (error != std::errc() || number > kWidestFormat || number < 0)
    throw TemplateError("a width of a format is too large");
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

std::string whole_text(std::int64_t value, const FormatSpec& spec) {
  const int base = spec.type == 'x' || spec.type == 'X' ? 16 : spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 10;
  std::array<char, 80> digits{};
  std::string out(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr);
  if (spec.type == 'X')
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'a' ? c - 32 : c; });
  if (spec.alternate && base != 10) out.insert(out.starts_with('-') ? 1 : 0, std::string("0") + spec.type);
  return out;
}

std::string real_text(double value, const FormatSpec& spec) {
  if (spec.type == '\0' && !spec.precision) return float_text(value);
  const bool percent = spec.type == '%';
  const char type = percent ? 'f' : spec.type == '\0' ? 'g' : spec.type;
  std::array<char, 1024> text{};
  const std::string directive = cat(spec.alternate ? "%#.*" : "%.*", type);
  const int length = std::snprintf(text.data(), text.size(), directive.c_str(),
                                   std::min(spec.precision.value_or(6), 500), percent ? value * 100 : value);
  return std::string(text.data(), static_cast<std::size_t>(length)) + (percent ? "%" : "");
}

void group_thousands(std::string& number) {
  const std::size_t begin = number.starts_with('-') ? 1 : 0;
  const std::size_t end = std::min(number.find_first_not_of("0123456789", begin), number.size());
  for (std::size_t at = end; at > begin + 3;) number.insert(at -= 3, ",");
}

std::string number_text(const Value& value, const FormatSpec& spec) {
  const bool real = is_one_of(spec.type, kReal) || (spec.type == '\0' && value.is_float());
  std::string out = real ? real_text(value.number(), spec) : whole_text(value.integer(), spec);
  if (spec.grouped) group_thousands(out);
  if (spec.sign != '-' && !out.starts_with('-')) out.insert(0, 1, spec.sign);
  return out;
}

FormatSpec parse_spec(std::string_view text) {
  const std::string all(text);
  FormatSpec spec;
  const std::u32string characters = text::characters(text);
  constexpr std::u32string_view kAligns = U"<>^=";
  for (const std::size_t at : {std::size_t{1}, std::size_t{0}}) {
    if (spec.align != '\0' || characters.size() <= at || kAligns.find(characters[at]) == std::u32string_view::npos)
      continue;
    spec.align = static_cast<char>(characters[at]);
    if (at == 1) spec.fill = characters[0];
    text.remove_prefix(text::utf8_of(std::u32string_view(characters).substr(0, at + 1)).size());
  }
  if (text.starts_with('+') || text.starts_with(' ') || text.starts_with('-')) {
    spec.sign = text.front();
    text.remove_prefix(1);
  }
  spec.alternate = take(text, '#');
  if (take(text, '0') && spec.align == '\0') {
    spec.fill = U'0';
    spec.align = '=';
  }
  spec.width = static_cast<std::size_t>(take_number(text).value_or(0));
  spec.grouped = take(text, ',');
  if (take(text, '.')) spec.precision = take_number(text);
  if (!text.empty()) {
    spec.type = text.front();
    text.remove_prefix(1);
  }
  const bool known =
      spec.type == '\0' || spec.type == 's' || is_one_of(spec.type, kWhole) || is_one_of(spec.type, kReal);
  if (!text.empty() || !known) throw TemplateError(cat("the format '{:", all, "}' is not supported"));
  return spec;
}

/// `value` as `spec` wants it; a number also without a type if it is one.
std::string formatted(const Value& value, FormatSpec spec) {
  const bool number = is_one_of(spec.type, kWhole) || is_one_of(spec.type, kReal) ||
                      (spec.type == '\0' && (value.is_integer() || value.is_float()));
  if (number) {
    if (spec.align == '\0') spec.align = '>';
    return padded(number_text(value, spec), spec);
  }
  std::u32string text = text::characters(value.str());
  if (spec.precision) text.resize(std::min(text.size(), static_cast<std::size_t>(*spec.precision)));
  return padded(text::utf8_of(text), spec);
}

/// What a field names: "0.name[key]" of the arguments; nothing: the next one.
Value field_value(std::string_view path, const Arguments& arguments, std::size_t& next) {
  const std::size_t end = std::min(path.find_first_of(".["), path.size());
  const std::string name(path.substr(0, end));
  path.remove_prefix(end);
  std::string_view digits = name;
  Value value;
  const std::optional<int> index = take_number(digits);
  if (name.empty() || (index && digits.empty())) {
    const std::size_t at = name.empty() ? next++ : static_cast<std::size_t>(*index);
    if (at >= arguments.positional.size()) throw TemplateError(cat("'format' wants a value for '{", name, "}'"));
    value = arguments.positional[at];
  } else {
    const auto found = std::find_if(arguments.keyword.begin(), arguments.keyword.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    if (found == arguments.keyword.end()) throw TemplateError(cat("'format' wants a value for '{", name, "}'"));
    value = found->second;
  }
  while (!path.empty()) {
    const bool item = path.front() == '[';
    const std::size_t stop = item ? path.find(']') : std::min(path.find_first_of(".[", 1), path.size());
    if (stop == std::string_view::npos)
      throw TemplateError(cat("the field '{", path, "}' of a format is not supported"));
    std::string_view key = path.substr(1, stop - 1);
    const std::string key_text(key);
    const std::optional<int> place = item ? take_number(key) : std::nullopt;
    value = place && key.empty() ? subscript(value, Value(std::int64_t{*place})) : subscript(value, Value(key_text));
    path.remove_prefix(std::min(stop + (item ? 1 : 0), path.size()));
  }
  return value;
}

std::string field_text(std::string_view field, const Arguments& arguments, std::size_t& next) {
  const std::size_t colon = std::min(field.find(':'), field.size());
  std::string_view path = field.substr(0, colon);
  const FormatSpec spec = parse_spec(colon < field.size() ? field.substr(colon + 1) : std::string_view());
  const std::size_t mark = path.find('!');
  const std::string_view conversion = mark == std::string_view::npos ? std::string_view() : path.substr(mark + 1);
  Value value = field_value(path.substr(0, mark), arguments, next);
  if (conversion == "r") value = value.repr();
  else if (conversion == "s") value = value.str();
  else if (!conversion.empty())
    throw TemplateError(cat("the conversion '!", conversion, "' of a format is not supported"));
  return formatted(value, spec);
}

/// One directive of "%…", from behind the percent sign; it is passed.
FormatSpec parse_directive(std::string_view& text) {
  FormatSpec spec;
  for (; !text.empty() && std::string_view("-+ 0#").find(text.front()) != std::string_view::npos;
       text.remove_prefix(1)) {
    switch (text.front()) {
      case '-': spec.align = '<'; break;
      case '0': spec.fill = U'0'; break;
      case '#': spec.alternate = true; break;
      default: spec.sign = spec.sign == '+' ? '+' : text.front();
    }
  }
  if (spec.align == '<') spec.fill = U' ';
  if (spec.align == '\0') spec.align = spec.fill == U'0' ? '=' : '>';
  spec.width = static_cast<std::size_t>(take_number(text).value_or(0));
  if (take(text, '.')) spec.precision = take_number(text).value_or(0);
  if (text.empty()) throw TemplateError("a format ends within a directive");
  spec.type = text.front();
  text.remove_prefix(1);
  return spec;
}

std::string directive_text(const Value& value, FormatSpec spec) {
  if (spec.type == 's' || spec.type == 'r') {
    const Value text = spec.type == 's' ? value.str() : value.repr();
    spec.type = 's';
    if (spec.align == '=') spec.align = '>', spec.fill = U' ';
    return formatted(text, spec);
  }
  if (spec.type == 'i' || spec.type == 'u') spec.type = 'd';
  const bool whole = is_one_of(spec.type, "dxXo");
  if (!whole && !is_one_of(spec.type, "feEgGF"))
    throw TemplateError(cat("the directive '%", spec.type, "' of a format is not supported"));
  if (whole && spec.type == 'd' && value.is_float())
    return formatted(Value(static_cast<std::int64_t>(value.number())), spec);
  return formatted(value, spec);
}

}  // namespace

std::string padded(const std::string& text, const FormatSpec& spec) {
  const std::size_t length = text::characters(text).size();
  if (length >= spec.width) return text;
  const std::size_t missing = spec.width - length;
  const auto fill = [&](std::size_t count) { return text::utf8_of(std::u32string(count, spec.fill)); };
  switch (spec.align) {
    case '>': return fill(missing) + text;
    case '^': return fill(missing / 2) + text + fill(missing - missing / 2);
    case '=': {
      const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
      return text.substr(0, sign) + fill(missing) + text.substr(sign);
    }
    default: return text + fill(missing);
  }
}

std::string format_percent(const std::string& format, const Value& arguments) {
  const std::vector<Value> several =
      arguments.is_list() && arguments.list().is_tuple ? arguments.list().items : std::vector<Value>{arguments};
  std::string out;
  std::size_t next = 0;
  bool named = false;
  for (std::string_view rest = format; !rest.empty();) {
    const std::size_t mark = std::min(rest.find('%'), rest.size());
    out += rest.substr(0, mark);
    rest.remove_prefix(mark);
    if (!take(rest, '%')) break;
    if (take(rest, '%')) {
      out += '%';
      continue;
    }
    Value value;
    if (take(rest, '(')) {
      const std::size_t close = rest.find(')');
      if (close == std::string_view::npos || !arguments.is_dict())
        throw TemplateError(cat("the format '", format, "' wants a mapping"));
      value = subscript(arguments, Value(rest.substr(0, close)));
      rest.remove_prefix(close + 1);
      named = true;
    } else {
      if (next == several.size()) throw TemplateError(cat("the format '", format, "' wants more values"));
      value = several[next++];
    }
    out += directive_text(value, parse_directive(rest));
  }
  const bool spare = !named && !arguments.is_dict() && next != several.size();
  if (spare) throw TemplateError(cat("the format '", format, "' wants fewer values"));
  return out;
}

std::string format_braces(const std::string& format, const Arguments& arguments) {
  std::string out;
  std::size_t next = 0;
  for (std::string_view rest = format; !rest.empty();) {
    const char byte = rest.front();
    rest.remove_prefix(1);
    if ((byte != '{' && byte != '}') || take(rest, byte)) {
      out += byte;
      continue;
    }
    const std::size_t close = rest.find('}');
    if (byte == '}' || close == std::string_view::npos) throw TemplateError(cat("the format '", format, "' is broken"));
    out += field_text(rest.substr(0, close), arguments, next);
    rest.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace kvmesh::llm::jinja

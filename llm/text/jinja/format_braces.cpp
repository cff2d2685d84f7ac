#include <algorithm>

#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/markup.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr std::string_view kWhole = "dxXobcn";
constexpr std::string_view kReal = "eEfFgG%";

FormatSpec parse_spec(std::string_view text) {
  const std::string_view all = text;
  FormatSpec spec;
  const std::size_t first = text.empty() ? 0 : utf8::length(text.front());
  if (text.size() > first && is_one_of(text[first], "<>^=")) {
    spec.fill = utf8::decode(text);
    spec.align = text[first];
    text.remove_prefix(first + 1);
  } else if (!text.empty() && is_one_of(text.front(), "<>^=")) {
    spec.align = text.front();
    text.remove_prefix(1);
  }
  if (!text.empty() && is_one_of(text.front(), "+ -")) {
    spec.sign = text.front();
    text.remove_prefix(1);
  }
  spec.alternate = take(text, '#');
  if (text.starts_with('0') && spec.align == '\0') {
    text.remove_prefix(1);
    spec.fill = U'0';
    spec.align = '0';  // '=' for numbers, '<' for all else
  }
  spec.width = static_cast<std::size_t>(take_number(text).value_or(0));
  if (!text.empty() && is_one_of(text.front(), ",_")) {
    spec.grouping = text.front();
    text.remove_prefix(1);
  }
  if (take(text, '.')) {
    spec.precision = take_number(text);
    if (!spec.precision) refuse("the format '{:", text::excerpt(all), "}' has no digits behind its point");
  }
  if (!text.empty()) {
    spec.type = text.front();
    text.remove_prefix(1);
  }
  const bool known =
      spec.type == '\0' || spec.type == 's' || is_one_of(spec.type, kWhole) || is_one_of(spec.type, kReal);
  if (!text.empty() || !known) refuse("the format '{:", text::excerpt(all), "}' is not supported");
  return spec;
}

class BracesFormat {
 public:
  BracesFormat(Context& context, const Value& format, const Arguments& arguments)
      : context_(context),
        markup_(format.is_markup()),
        format_(format.string()),
        arguments_(arguments),
        out_(context.budget()) {}

  Value run() {
    write(out_, format_, /*may_nest=*/true);
    return out_.take_value(markup_);
  }

 private:
  [[noreturn]] void refuse_format() const { refuse("the format '", text::excerpt(format_), "' is broken"); }

  /// A format, or the inside of a field's, in which fields may stand once more.
  void write(TextBuilder& out, std::string_view rest, bool may_nest) {
    while (!rest.empty()) {
      const std::size_t plain = std::min(rest.find_first_of("{}"), rest.size());
      out.append(rest.substr(0, plain));
      rest.remove_prefix(plain);
      if (rest.empty()) return;
      const char brace = rest.front();
      rest.remove_prefix(1);
      if (take(rest, brace)) {
        out.append({&brace, 1});
        continue;
      }
      if (brace == '}') refuse_format();
      const std::size_t end = field_end(rest);
      write_field(out, rest.substr(0, end), may_nest);
      rest.remove_prefix(end + 1);
    }
  }

  /// Where the brace is that closes a field.
  std::size_t field_end(std::string_view rest) const {
    std::size_t depth = 0;
    for (std::size_t at = 0; at < rest.size(); ++at) {
      if (rest[at] == '{') ++depth;
      if (rest[at] == '}' && depth-- == 0) return at;
    }
    refuse_format();
  }

  void write_field(TextBuilder& out, std::string_view field, bool may_nest) {
    context_.budget().step();
    // A colon or mark within brackets belongs to a key.
    const std::size_t bracket = field.find('[');
    const std::size_t from = bracket < field.find_first_of(":!") ? std::min(field.find(']', bracket), field.size()) : 0;
    const std::size_t end = std::min(field.find_first_of(":!", from), field.size());
    Value value = field_value(field.substr(0, end));
    std::string_view rest = field.substr(end);
    if (take(rest, '!')) {
      const char conversion = rest.empty() ? '\0' : rest.front();
      if (!is_one_of(conversion, "rsa") || (rest.size() > 1 && rest[1] != ':')) refuse_format();
      rest.remove_prefix(1);
      value = converted(value, conversion);
    }
    take(rest, ':');
    if (!may_nest && rest.find('{') != std::string_view::npos) refuse_format();
    TextBuilder spec(context_.budget());
    write_spec(spec, rest);
    write_value(out, value, spec.text());
  }

  /// The format of a field, whose own fields are filled in.
  void write_spec(TextBuilder& out, std::string_view rest) {
    if (rest.find_first_of("{}") == std::string_view::npos) out.append(rest);
    else write(out, rest, /*may_nest=*/false);
  }

  Value converted(const Value& value, char conversion) {
    if (conversion == 's') return as_string(context_.budget(), value);
    const std::string text = repr(context_.budget(), value);
    return Value(context_.budget(), conversion == 'r' ? text : text::ascii_only(text));
  }

  /// What a field names: "0.name[key]" of the arguments; nothing: the next one.
  Value field_value(std::string_view path) {
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    Value value = argument(path.substr(0, end));
    path.remove_prefix(end);
    while (!path.empty()) {
      const bool item = path.front() == '[';
      const std::size_t stop = item ? path.find(']') : std::min(path.find_first_of(".[", 1), path.size());
      if (stop == std::string_view::npos || stop == 1) refuse_format();
      std::string_view key = path.substr(1, stop - 1);
      path.remove_prefix(stop + (item ? 1 : 0));
      std::string_view digits = key;
      const std::optional<int> place = item ? take_number(digits) : std::nullopt;
      if (!item) value = attribute(context_, value, key);
      else if (place && digits.empty()) value = subscript(context_, value, std::int64_t{*place});
      else value = subscript(context_, value, Value(context_.budget(), std::string(key)));
    }
    return value;
  }

  Value argument(std::string_view name) {
    std::string_view digits = name;
    const std::optional<int> index = name.empty() ? std::nullopt : take_number(digits);
    if (name.empty() || (index && digits.empty())) {
      // Numbers are either all written or all left out.
      if (numbered_.value_or(!name.empty()) != !name.empty()) refuse_format();
      numbered_ = !name.empty();
      const std::size_t at = name.empty() ? next_++ : static_cast<std::size_t>(*index);
      if (at >= arguments_.positional.size()) refuse("'format' wants a value for '{", name, "}'");
      return arguments_.positional[at];
    }
    const auto found = std::find_if(arguments_.keyword.begin(), arguments_.keyword.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    if (found == arguments_.keyword.end()) refuse("'format' wants a value for '{", text::excerpt(name), "}'");
    return found->second;
  }

  void write_value(TextBuilder& out, const Value& value, std::string_view spec_text) {
    if (!markup_ || &out != &out_) return write_plain(out, value, spec_text);
    if (value.is_markup()) {
      if (!spec_text.empty()) refuse("markup within markup takes no format '{:", text::excerpt(spec_text), "}'");
      return out.append(value.string());
    }
    TextBuilder plain(context_.budget());
    write_plain(plain, value, spec_text);
    text::append_escaped(out, plain.text());
  }

  void write_plain(TextBuilder& out, const Value& value, std::string_view spec_text) {
    if (spec_text.empty()) return print(out, value);
    FormatSpec spec = parse_spec(spec_text);
    const auto refuse_spec = [&] {
      refuse("the format '{:", text::excerpt(spec_text), "}' does not go with ", value.kind());
    };
    if (value.is_number()) {
      const bool whole = is_one_of(spec.type, kWhole);
      if (spec.type == 's' || (whole && spec.type != 'n' && value.is_float())) refuse_spec();
      const bool digits = whole || (spec.type == '\0' && !value.is_float());
      if (digits && spec.precision) refuse_spec();
      const bool groupless = (spec.grouping == ',' && is_one_of(spec.type, "xXobcn")) || is_one_of(spec.type, "cn");
      if (spec.grouping != '\0' && groupless) refuse_spec();
      if (spec.align == '0') spec.align = '=';
      if (spec.type == 'c') return write_character(out, value, spec);
      return append_number(out, value, spec);
    }
    if (!value.is_string()) refuse_spec();
    const bool numeric = spec.align == '=' || spec.sign != '-' || spec.grouping != '\0' || spec.alternate;
    if (numeric || (spec.type != '\0' && spec.type != 's')) refuse_spec();
    if (spec.align == '0') spec.align = '<';
    std::string text = value.string();
    if (spec.precision) text.resize(text::place_of(text, static_cast<std::size_t>(*spec.precision)));
    append_padded(out, text, spec);
  }

  void write_character(TextBuilder& out, const Value& value, FormatSpec spec) {
    const std::int64_t code = value.integer();
    if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) refuse(code, " is no character's number");
    std::string text;
    utf8::append(text, static_cast<char32_t>(code));
    if (spec.align == '\0') spec.align = '>';
    append_padded(out, text, spec);
  }

  Context& context_;
  const bool markup_;
  const std::string& format_;
  const Arguments& arguments_;
  std::size_t next_ = 0;
  std::optional<bool> numbered_;
  TextBuilder out_;
};

}  // namespace

Value format_braces(Context& context, const Value& format, const Arguments& arguments) {
  return BracesFormat(context, format, arguments).run();
}

}  // namespace kvmesh::llm::jinja

#include <cmath>

#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/markup.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

class PercentFormat {
 public:
  PercentFormat(Budget& budget, const Value& format, const Value& arguments)
      : budget_(budget), markup_(format.is_markup()), format_(format.string()), arguments_(arguments), out_(budget) {
    if (arguments.is(ListKind::kTuple) || arguments.is(ListKind::kGroup)) {
      several_ = arguments.list().items;
    } else {
      several_ = {arguments};
      may_spare_ = arguments.is_dict() || arguments.is_list();
    }
  }

  Value run() {
    for (std::string_view rest = format_; !rest.empty();) {
      const std::size_t mark = std::min(rest.find('%'), rest.size());
      out_.append(rest.substr(0, mark));
      rest.remove_prefix(mark);
      if (take(rest, '%')) directive(rest);
    }
    if (!may_spare_ && next_ != several_.size()) refuse("the format '", text::excerpt(format_), "' wants fewer values");
    return out_.take_value(markup_);
  }

 private:
  const Value& next() {
    if (next_ == several_.size()) refuse("the format '", text::excerpt(format_), "' wants more values");
    return several_[next_++];
  }

  /// One directive, from behind its percent sign; it is passed.
  void directive(std::string_view& rest) {
    budget_.step();
    std::optional<Value> named;
    if (take(rest, '(')) {
      const std::size_t close = rest.find(')');
      if (close == std::string_view::npos || !arguments_.is_dict())
        refuse("the format '", text::excerpt(format_), "' wants a mapping");
      const Value* found = arguments_.dict().find(budget_, rest.substr(0, close));
      if (found == nullptr) refuse("the mapping of a format has no '", text::excerpt(rest.substr(0, close)), "'");
      named = *found;
      rest.remove_prefix(close + 1);
    }
    const FormatSpec spec = parse(rest);
    if (spec.type == '%') return out_.append("%");
    write(named ? *named : next(), spec);
  }

  FormatSpec parse(std::string_view& rest) {
    FormatSpec spec;
    spec.align = '>';
    bool zeros = false;
    for (; !rest.empty() && is_one_of(rest.front(), "-+ 0#"); rest.remove_prefix(1)) {
      switch (rest.front()) {
        case '-': spec.align = '<'; break;
        case '0': zeros = true; break;
        case '#': spec.alternate = true; break;
        default: spec.sign = spec.sign == '+' ? '+' : rest.front();
      }
    }
    spec.width = static_cast<std::size_t>(std::abs(number(rest, spec).value_or(0)));
    if (take(rest, '.')) spec.precision = std::max(number(rest, spec).value_or(0), 0);
    while (!rest.empty() && is_one_of(rest.front(), "hlL")) rest.remove_prefix(1);
    if (rest.empty()) refuse("the format '", text::excerpt(format_), "' ends within a directive");
    spec.type = rest.front();
    rest.remove_prefix(1);
    if (zeros && spec.align == '>' && is_one_of(spec.type, "diuoxXeEfFgG")) {
      spec.fill = U'0';
      spec.align = '=';
    }
    return spec;
  }

  /// A number, or the next value where a star stands.
  std::optional<int> number(std::string_view& rest, FormatSpec& spec) {
    if (!take(rest, '*')) return take_number(rest);
    const std::int64_t value = next().integer();
    if (value < -1000000000 || value > 1000000000) refuse("a number in a format is too large");
    if (value < 0) spec.align = '<';
    return static_cast<int>(value);
  }

  void write(const Value& value, FormatSpec spec) {
    switch (spec.type) {
      case 's': return write_text(markup_ ? escaped(budget_, value).string() : str(budget_, value), spec);
      case 'r': return write_repr(repr(budget_, value), spec);
      case 'a': return write_repr(text::ascii_only(repr(budget_, value)), spec);
      case 'c': return write_character(value, spec);
      case 'd':
      case 'i':
      case 'u':
        spec.type = 'd';
        if (!value.is_float()) return append_number(out_, value, spec);
        if (!(std::fabs(value.number()) < 9.2e18)) refuse("the number ", value.number(), " does not fit 64 bits");
        return append_number(out_, static_cast<std::int64_t>(value.number()), spec);
      default:
        if (!is_one_of(spec.type, "xXoeEfFgG")) refuse("the directive '%", spec.type, "' of a format is not supported");
        append_number(out_, value, spec);
    }
  }

  void write_text(std::string text, const FormatSpec& spec) {
    if (spec.precision) text.resize(text::place_of(text, static_cast<std::size_t>(*spec.precision)));
    append_padded(out_, text, spec);
  }

  void write_repr(std::string text, const FormatSpec& spec) {
    if (!markup_) return write_text(std::move(text), spec);
    TextBuilder escaped_text(budget_);
    text::append_escaped(escaped_text, text);
    write_text(escaped_text.text(), spec);
  }

  void write_character(const Value& value, const FormatSpec& spec) {
    if (value.is_string() && value.length() == 1) return write_text(value.string(), spec);
    const std::int64_t code = value.integer();
    if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) refuse(code, " is no character's number");
    std::string text;
    utf8::append(text, static_cast<char32_t>(code));
    write_text(std::move(text), spec);
  }

  Budget& budget_;
  const bool markup_;
  const std::string& format_;
  const Value& arguments_;
  std::vector<Value> several_;
  bool may_spare_ = false;  ///< Python does not mind values that are left where they are no tuple but have items
  std::size_t next_ = 0;
  TextBuilder out_;
};

}  // namespace

Value format_percent(Budget& budget, const Value& format, const Value& arguments) {
  return PercentFormat(budget, format, arguments).run();
}

}  // namespace kvmesh::llm::jinja

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "llm/text/jinja/context.hpp"

/// Python's two ways to format. They throw TemplateError that quotes the directive which is not understood.
namespace kvmesh::llm::jinja {

/// "{:*^+#010,.2f}": [[fill]align][sign][#][0][width][,][.precision][type]
struct FormatSpec {
  char32_t fill = U' ';
  char align =
      '\0';  ///< '<', '>', '^', '=' (behind the sign), 'c' (as str.center does); none: numbers right, all else left
  char sign = '-';  ///< '+' and ' ' also mark numbers that are not negative
  bool alternate = false;
  std::size_t width = 0;  ///< in characters
  char grouping = '\0';   ///< ',' or '_' between thousands
  std::optional<int> precision;
  char type = '\0';
};

/// The number at the start of `text`, which is passed; none where there is no digit.
std::optional<int> take_number(std::string_view& text);
/// `wanted` at the start of `text`, which is passed.
bool take(std::string_view& text, char wanted);
bool is_one_of(char type, std::string_view types);

/// `text` in the width of `spec`.
void append_padded(TextBuilder& out, const std::string& text, const FormatSpec& spec);
/// A number as `spec` wants it, whose type is one for numbers or none.
void append_number(TextBuilder& out, const Value& value, FormatSpec spec);

/// "%s is %d" % arguments. Of markup, what is put in is escaped, and the result is markup.
Value format_percent(Budget& budget, const Value& format, const Value& arguments);

/// "{} {0} {name!r:>8}".format(…). The same goes for markup.
Value format_braces(Context& context, const Value& format, const Arguments& arguments);

}  // namespace kvmesh::llm::jinja

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/text/jinja/value.hpp"

/// Python's two ways to format. They throw TemplateError that quotes the directive which is not understood.
namespace kvmesh::llm::jinja {

inline constexpr int kWidestFormat = 10000;  ///< wider ones cannot be meant

/// "{:*^+#010,.2f}": [[fill]align][sign][#][0][width][,][.precision][type]
struct FormatSpec {
  char32_t fill = U' ';
  char align = '\0';  ///< '<', '>', '^', '=' (behind the sign); none: numbers right, all else left
  char sign = '-';    ///< '+' and ' ' also mark numbers that are not negative
  bool alternate = false;
  std::size_t width = 0;  ///< in characters
  bool grouped = false;   ///< thousands
  std::optional<int> precision;
  char type = '\0';
};

/// `text` in the width of `spec`.
std::string padded(const std::string& text, const FormatSpec& spec);

/// "%s is %d" % arguments.
std::string format_percent(const std::string& format, const Value& arguments);

/// "{} {0} {name!r:>8}".format(...)
std::string format_braces(const std::string& format, const Arguments& arguments);

}  // namespace kvmesh::llm::jinja

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Python's ways to write numbers and strings.
namespace kvmesh::llm::jinja {

/// What the inside of a quoted string means. Throws TemplateError for an escape that means nothing.
std::string unescaped(std::string_view inside);

struct NumberToken {
  std::size_t length = 0;
  bool is_float = false;
};
/// The number at the start of `text`, which starts with a digit. `after_dot`: a dot stands before it, so that it has no
/// fraction, as in `rows.0.1`.
NumberToken number_at(std::string_view text, bool after_dot);

/// Python's int(text, base); base 0: the prefix decides. None where it would refuse, or where 64 bits do not hold it.
std::optional<std::int64_t> parse_integer(std::string_view text, int base);
/// Python's float(text).
std::optional<double> parse_float(std::string_view text);

}  // namespace kvmesh::llm::jinja

#pragma once

#include <optional>
#include <string>

#include "llm/text/jinja/value.hpp"

/// How values become text.
namespace kvmesh::llm::jinja {

/// What {{ }} prints.
void print(TextBuilder& out, const Value& value);
/// What stands inside a printed list: strings in quotes.
void print_repr(TextBuilder& out, const Value& value);

/// The same as a string of its own; a string that is one already is copied.
std::string str(Budget& budget, const Value& value);
std::string repr(Budget& budget, const Value& value);
/// The value that str() gives, markup if it was; no copy of what is a string already.
Value as_string(Budget& budget, const Value& value);

/// Python's json.dumps(ensure_ascii=False).
struct JsonStyle {
  std::optional<std::string> indent;  ///< what a level is indented by; none: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
  bool ascii_only = false;
};
void print_json(TextBuilder& out, const Value& value, const JsonStyle& style);

/// Python's repr of a float: "1.0", "1e-05".
std::string float_text(double number);

}  // namespace kvmesh::llm::jinja

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "llm/text/jinja/budget.hpp"
#include "llm/text/tokenizer/utf8.hpp"

/// Python's string functions on UTF-8. Positions are bytes unless characters are named. Each takes time and memory in
/// proportion to what it is given.
namespace kvmesh::llm::jinja::text {

/// Calls `use` with each character in turn.
template <typename Use>
void each_character(std::string_view utf8, Use use) {
  for (std::size_t length; !utf8.empty(); utf8.remove_prefix(length)) {
    length = utf8::length(utf8.front());
    use(utf8.substr(0, length));
  }
}

std::size_t count_characters(std::string_view utf8);
/// Where character number `index` starts; the end of the text where it has no such character.
std::size_t place_of(std::string_view utf8, std::size_t index);
std::string reversed(std::string_view utf8);
/// The start of a text, for messages.
std::string excerpt(std::string_view utf8);

std::string upper(std::string_view utf8);
std::string lower(std::string_view utf8);
std::string fold_case(std::string_view utf8);
std::string swap_case(std::string_view utf8);
std::string capitalize(std::string_view utf8);
/// str.title(): every run of letters starts with a capital.
std::string title(std::string_view utf8);
/// Jinja's filter: words start after white space and opening brackets and hyphens only.
std::string title_words(std::string_view utf8);

enum class Side { kBoth, kLeft, kRight };

/// Without the characters of `set` at its ends; white space if `set` is null.
std::string_view strip(std::string_view utf8, Side side, const std::string* set = nullptr);

/// Where `part` is first, or last, in `utf8`; npos if it is not there.
std::size_t find(std::string_view utf8, std::string_view part);
std::size_t find_last(std::string_view utf8, std::string_view part);
/// How often `part`, which is not empty, is there; places do not overlap.
std::size_t count(std::string_view utf8, std::string_view part);

// What these give are pieces of `utf8`. At most `most` cuts if that is not negative.

/// The words between white space.
std::vector<std::string_view> split_words(std::string_view utf8, long most);
std::vector<std::string_view> split_words_from_right(std::string_view utf8, long most);
/// The parts between `separator`, which is not empty.
std::vector<std::string_view> split(std::string_view utf8, std::string_view separator, long most);
std::vector<std::string_view> split_from_right(std::string_view utf8, std::string_view separator, long most);
/// Without their ends, unless `keep_ends`.
std::vector<std::string_view> lines(std::string_view utf8, bool keep_ends = false);

/// The first `most` places replaced; all if that is negative.
void append_replaced(TextBuilder& out, std::string_view utf8, std::string_view from, std::string_view to, long most);

/// As Python prints a string within a list.
void append_quoted(TextBuilder& out, std::string_view utf8);
/// Everything that is not ASCII written with backslashes.
std::string ascii_only(std::string_view utf8);
/// &, <, >, " and ' as HTML writes them.
void append_escaped(TextBuilder& out, std::string_view utf8);

bool all_of(std::string_view utf8, bool (*is)(char32_t));
bool is_space(char32_t character);
bool is_letter(char32_t character);
bool is_decimal(char32_t character);  ///< decimal digits
bool is_digit(char32_t character);    ///< also superscripts, digits in circles
bool is_numeric(char32_t character);  ///< also fractions, Roman and Chinese numerals
bool is_printable(char32_t character);
/// The value of a decimal digit.
int digit_value(char32_t character);

}  // namespace kvmesh::llm::jinja::text

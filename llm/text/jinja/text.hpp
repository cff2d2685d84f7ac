#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Python's string functions on UTF-8.
namespace kvmesh::llm::jinja::text {

std::u32string characters(std::string_view utf8);
std::string utf8_of(std::u32string_view characters);

std::string upper(std::string_view utf8);
std::string lower(std::string_view utf8);
std::string swap_case(std::string_view utf8);
std::string capitalize(std::string_view utf8);
/// str.title(): every run of letters starts with a capital.
std::string title(std::string_view utf8);
/// Jinja's filter: words start after white space and opening brackets and hyphens only.
std::string title_words(std::string_view utf8);

enum class Side { kBoth, kLeft, kRight };

/// Without the characters of `set` at its ends; white space if `set` is null.
std::string strip(std::string_view utf8, Side side, const std::string* set = nullptr);

/// The words between white space; at most `most` cuts if that is not negative.
std::vector<std::string> split_words(std::string_view utf8, long most);
std::vector<std::string> split_words_from_right(std::string_view utf8, long most);
/// The parts between `separator`, which is not empty.
std::vector<std::string> split(std::string_view utf8, std::string_view separator, long most);
std::vector<std::string> split_from_right(std::string_view utf8, std::string_view separator, long most);
/// Without their ends, unless `keep_ends`.
std::vector<std::string> lines(std::string_view utf8, bool keep_ends = false);

/// The first `most` places replaced; all if that is negative.
std::string replace(std::string_view utf8, std::string_view from, std::string_view to, long most = -1);

/// As Python prints a string within a list.
std::string quoted(std::string_view utf8);

bool all_of(std::string_view utf8, bool (*is)(char32_t));
bool is_letter(char32_t character);
bool is_digit(char32_t character);    ///< decimal digits
bool is_numeric(char32_t character);  ///< also fractions, Roman numerals

}  // namespace kvmesh::llm::jinja::text

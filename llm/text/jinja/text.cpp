#include "llm/text/jinja/text.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>

#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm::jinja::text {
namespace {

constexpr char32_t kSharpS = 0xDF;
constexpr char32_t kDottedI = 0x130;

utf8proc_category_t category(char32_t character) { return utf8proc_category(static_cast<utf8proc_int32_t>(character)); }

bool is_space(char32_t character) { return utf8::is_space(character) || (character >= 0x1C && character <= 0x1F); }

void append_upper(std::string& out, char32_t character) {
  if (character == kSharpS) {
    out += "SS";
  } else {
    utf8::append(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(character))));
  }
}

/// A digraph has a form of its own at the start of a word.
void append_title(std::string& out, char32_t character) {
  if (character == kSharpS) {
    out += "Ss";
  } else {
    utf8::append(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(character))));
  }
}

void append_lower(std::string& out, char32_t character) {
  if (character == kDottedI) {
    out += "i\xCC\x87";
  } else {
    utf8::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))));
  }
}

/// Capitals where `starts(previous, character)`, small letters elsewhere.
template <typename Starts>
std::string recase(std::string_view utf8, Starts starts) {
  std::string out;
  char32_t previous = 0;
  for (const char32_t character : characters(utf8)) {
    if (starts(previous, character)) {
      append_title(out, character);
    } else {
      append_lower(out, character);
    }
    previous = character;
  }
  return out;
}

bool is_printable(char32_t character) {
  if (character == ' ') return true;
  const auto kind = category(character);
  return kind != UTF8PROC_CATEGORY_CN && !(kind >= UTF8PROC_CATEGORY_ZS && kind <= UTF8PROC_CATEGORY_CO);
}

std::string escaped(char32_t character) {
  char buffer[16];
  const char* format = character < 0x100 ? "\\x%02x" : character < 0x10000 ? "\\u%04x" : "\\U%08x";
  std::snprintf(buffer, sizeof buffer, format, static_cast<unsigned>(character));
  return buffer;
}

}  // namespace

std::u32string characters(std::string_view utf8) {
  std::u32string out;
  out.reserve(utf8.size());
  for (; !utf8.empty(); utf8.remove_prefix(utf8::length(utf8.front()))) out.push_back(utf8::decode(utf8));
  return out;
}

std::string utf8_of(std::u32string_view characters) {
  std::string out;
  for (const char32_t character : characters) utf8::append(out, character);
  return out;
}

std::string upper(std::string_view utf8) {
  std::string out;
  for (const char32_t character : characters(utf8)) append_upper(out, character);
  return out;
}

std::string lower(std::string_view utf8) {
  std::string out;
  for (const char32_t character : characters(utf8)) append_lower(out, character);
  return out;
}

std::string swap_case(std::string_view utf8) {
  std::string out;
  for (const char32_t character : characters(utf8)) {
    if (utf8proc_tolower(static_cast<utf8proc_int32_t>(character)) == static_cast<utf8proc_int32_t>(character)) {
      append_upper(out, character);
    } else {
      append_lower(out, character);
    }
  }
  return out;
}

std::string capitalize(std::string_view utf8) {
  return recase(utf8, [](char32_t previous, char32_t) { return previous == 0; });
}

std::string title(std::string_view utf8) {
  return recase(utf8, [](char32_t previous, char32_t) { return !is_letter(previous); });
}

std::string title_words(std::string_view utf8) {
  return recase(utf8, [](char32_t previous, char32_t) {
    return previous == 0 || is_space(previous) || std::u32string_view(U"-({[<").find(previous) != std::u32string::npos;
  });
}

std::string strip(std::string_view utf8, Side side, const std::string* set) {
  const std::u32string of = set != nullptr ? characters(*set) : U"";
  const auto goes = [&](char32_t character) {
    return set != nullptr ? of.find(character) != std::u32string::npos : is_space(character);
  };
  std::u32string text = characters(utf8);
  std::u32string_view rest = text;
  while (side != Side::kRight && !rest.empty() && goes(rest.front())) rest.remove_prefix(1);
  while (side != Side::kLeft && !rest.empty() && goes(rest.back())) rest.remove_suffix(1);
  return utf8_of(rest);
}

std::vector<std::string> split_words(std::string_view utf8, long most) {
  std::vector<std::string> out;
  const std::u32string text = characters(utf8);
  auto at = std::find_if_not(text.begin(), text.end(), is_space);
  while (at != text.end()) {
    const bool last = most >= 0 && static_cast<long>(out.size()) == most;
    const auto end = last ? text.end() : std::find_if(at, text.end(), is_space);
    out.push_back(utf8_of({&*at, static_cast<std::size_t>(end - at)}));
    at = std::find_if_not(end, text.end(), is_space);
  }
  return out;
}

std::vector<std::string> split_words_from_right(std::string_view utf8, long most) {
  std::vector<std::string> out;
  const std::u32string text = characters(utf8);
  const auto space = [](char32_t character) { return is_space(character); };
  auto at = std::find_if_not(text.rbegin(), text.rend(), space);
  while (at != text.rend()) {
    const bool last = most >= 0 && static_cast<long>(out.size()) == most;
    const auto end = last ? text.rend() : std::find_if(at, text.rend(), space);
    out.push_back(utf8_of(std::u32string(end.base(), at.base())));
    at = std::find_if_not(end, text.rend(), space);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string> split(std::string_view utf8, std::string_view separator, long most) {
  std::vector<std::string> out;
  for (std::size_t at; (at = utf8.find(separator)) != std::string_view::npos;) {
    if (most >= 0 && static_cast<long>(out.size()) == most) break;
    out.emplace_back(utf8.substr(0, at));
    utf8.remove_prefix(at + separator.size());
  }
  out.emplace_back(utf8);
  return out;
}

std::vector<std::string> split_from_right(std::string_view utf8, std::string_view separator, long most) {
  std::vector<std::string> out;
  for (std::size_t at; (at = utf8.rfind(separator)) != std::string_view::npos;) {
    if (most >= 0 && static_cast<long>(out.size()) == most) break;
    out.emplace_back(utf8.substr(at + separator.size()));
    utf8 = utf8.substr(0, at);
  }
  out.emplace_back(utf8);
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string> lines(std::string_view utf8, bool keep_ends) {
  std::vector<std::string> out;
  while (!utf8.empty()) {
    const std::size_t end = std::min(utf8.find_first_of("\n\r"), utf8.size());
    const std::size_t whole = end + (utf8.substr(end).starts_with("\r\n") ? 2 : end < utf8.size() ? 1 : 0);
    out.emplace_back(utf8.substr(0, keep_ends ? whole : end));
    utf8.remove_prefix(whole);
  }
  return out;
}

std::string replace(std::string_view utf8, std::string_view from, std::string_view to, long most) {
  std::string out;
  if (from.empty()) {
    long count = 0;
    for (const char32_t character : characters(utf8)) {
      if (most < 0 || count++ < most) out += to;
      utf8::append(out, character);
    }
    return most < 0 || count < most ? out.append(to) : out;
  }
  const std::vector<std::string> parts = split(utf8, from, most);
  for (std::size_t index = 0; index < parts.size(); ++index) {
    if (index > 0) out += to;
    out += parts[index];
  }
  return out;
}

std::string quoted(std::string_view utf8) {
  const bool single_inside = utf8.find('\'') != std::string_view::npos;
  const char quote = single_inside && utf8.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char32_t character : characters(utf8)) {
    switch (character) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\\': out += "\\\\"; break;
      default:
        if (character == static_cast<char32_t>(quote)) out += '\\';
        if (is_printable(character)) {
          utf8::append(out, character);
        } else {
          out += escaped(character);
        }
    }
  }
  return out + quote;
}

bool all_of(std::string_view utf8, bool (*is)(char32_t)) {
  const std::u32string text = characters(utf8);
  return !text.empty() && std::all_of(text.begin(), text.end(), is);
}

bool is_letter(char32_t character) {
  const auto kind = category(character);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t character) { return category(character) == UTF8PROC_CATEGORY_ND; }

bool is_numeric(char32_t character) { return utf8::is_numeric(character); }

}  // namespace kvmesh::llm::jinja::text

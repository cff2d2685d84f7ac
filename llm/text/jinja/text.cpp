#include "llm/text/jinja/text.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>

namespace kvmesh::llm::jinja::text {
namespace {

constexpr char32_t kSharpS = 0xDF;
constexpr char32_t kDottedI = 0x130;
constexpr char32_t kSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;

using Map = utf8proc_int32_t (*)(utf8proc_int32_t);

void append_mapped(std::string& out, char32_t character, Map map) {
  utf8::append(out, static_cast<char32_t>(map(static_cast<utf8proc_int32_t>(character))));
}

void append_upper(std::string& out, char32_t character) {
  if (character == kSharpS) out += "SS";
  else append_mapped(out, character, utf8proc_toupper);
}

/// A digraph has a form of its own at the start of a word.
void append_title(std::string& out, char32_t character) {
  if (character == kSharpS) out += "Ss";
  else append_mapped(out, character, utf8proc_totitle);
}

void append_lower(std::string& out, char32_t character) {
  if (character == kDottedI) out += "i\xCC\x87";
  else append_mapped(out, character, utf8proc_tolower);
}

/// A letter that is a capital or a small one.
bool is_cased(char32_t character) {
  const auto kind = utf8proc_category(static_cast<utf8proc_int32_t>(character));
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LT;
}

/// Capitals where `starts(previous, character)`, small letters elsewhere. A sigma has a form of its own at the end of a
/// word.
template <typename Starts>
std::string recase(std::string_view utf8, Starts starts) {
  std::string out;
  char32_t previous = 0;
  for (std::size_t at = 0, length; at < utf8.size(); at += length) {
    length = utf8::length(utf8[at]);
    const char32_t character = utf8::decode(utf8.substr(at));
    const std::string_view rest = utf8.substr(at + length);
    if (starts(previous, character)) {
      append_title(out, character);
    } else if (character == kSigma && is_cased(previous) && (rest.empty() || !is_cased(utf8::decode(rest)))) {
      utf8::append(out, kFinalSigma);
    } else {
      append_lower(out, character);
    }
    previous = character;
  }
  return out;
}

std::string backslashed(char32_t character) {
  char buffer[16];
  const char* format = character < 0x100 ? "\\x%02x" : character < 0x10000 ? "\\u%04x" : "\\U%08x";
  std::snprintf(buffer, sizeof buffer, format, static_cast<unsigned>(character));
  return buffer;
}

}  // namespace

std::size_t count_characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  }));
}

std::size_t place_of(std::string_view utf8, std::size_t index) {
  std::size_t at = 0;
  for (; index > 0 && at < utf8.size(); --index) at += utf8::length(utf8[at]);
  return std::min(at, utf8.size());
}

std::string reversed(std::string_view utf8) {
  std::string out(utf8.size(), '\0');
  std::size_t end = utf8.size();
  each_character(utf8, [&](std::string_view character) {
    end -= character.size();
    std::copy(character.begin(), character.end(), out.begin() + static_cast<std::ptrdiff_t>(end));
  });
  return out;
}

std::string excerpt(std::string_view utf8) {
  constexpr std::size_t kLongest = 80;
  const std::size_t end = place_of(utf8, kLongest);
  return end == utf8.size() ? std::string(utf8) : cat(utf8.substr(0, end), "…");
}

std::string upper(std::string_view utf8) {
  std::string out;
  each_character(utf8, [&](std::string_view character) { append_upper(out, utf8::decode(character)); });
  return out;
}

std::string lower(std::string_view utf8) {
  return recase(utf8, [](char32_t, char32_t) { return false; });
}

std::string fold_case(std::string_view utf8) {
  std::string out;
  each_character(utf8, [&](std::string_view character) {
    utf8proc_int32_t folded[4];
    const auto code = static_cast<utf8proc_int32_t>(utf8::decode(character));
    const utf8proc_ssize_t count = utf8proc_decompose_char(code, folded, 4, UTF8PROC_CASEFOLD, nullptr);
    for (utf8proc_ssize_t index = 0; index < count; ++index) utf8::append(out, static_cast<char32_t>(folded[index]));
  });
  return out;
}

std::string swap_case(std::string_view utf8) {
  std::string out;
  each_character(utf8, [&](std::string_view character) {
    const char32_t code = utf8::decode(character);
    const auto number = static_cast<utf8proc_int32_t>(code);
    utf8proc_tolower(number) == number ? append_upper(out, code) : append_lower(out, code);
  });
  return out;
}

std::string capitalize(std::string_view utf8) {
  return recase(utf8, [](char32_t previous, char32_t) { return previous == 0; });
}

std::string title(std::string_view utf8) {
  return recase(utf8, [](char32_t previous, char32_t) { return !is_cased(previous); });
}

std::string title_words(std::string_view utf8) {
  return recase(utf8, [](char32_t previous, char32_t) {
    return previous == 0 || is_space(previous) || std::u32string_view(U"-({[<").find(previous) != std::u32string::npos;
  });
}

void append_quoted(TextBuilder& out, std::string_view utf8) {
  const bool single_inside = utf8.find('\'') != std::string_view::npos;
  const char quote = single_inside && utf8.find('"') == std::string_view::npos ? '"' : '\'';
  out.append({&quote, 1});
  each_character(utf8, [&](std::string_view character) {
    switch (character.front()) {
      case '\n': return out.append("\\n");
      case '\r': return out.append("\\r");
      case '\t': return out.append("\\t");
      case '\\': return out.append("\\\\");
      default:
        if (character.front() == quote) out.append("\\");
        const char32_t code = utf8::decode(character);
        out.append(is_printable(code) ? std::string(character) : backslashed(code));
    }
  });
  out.append({&quote, 1});
}

std::string ascii_only(std::string_view utf8) {
  std::string out;
  each_character(utf8, [&](std::string_view character) {
    out += character.size() == 1 ? std::string(character) : backslashed(utf8::decode(character));
  });
  return out;
}

void append_escaped(TextBuilder& out, std::string_view utf8) {
  while (!utf8.empty()) {
    const std::size_t plain = std::min(utf8.find_first_of("&<>\"'"), utf8.size());
    out.append(utf8.substr(0, plain));
    utf8.remove_prefix(plain);
    if (utf8.empty()) return;
    switch (utf8.front()) {
      case '&': out.append("&amp;"); break;
      case '<': out.append("&lt;"); break;
      case '>': out.append("&gt;"); break;
      case '"': out.append("&#34;"); break;
      default: out.append("&#39;");
    }
    utf8.remove_prefix(1);
  }
}

}  // namespace kvmesh::llm::jinja::text

#include "llm/text/jinja/literals.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// The value of a digit up to base 36; 36 for what is none.
int value_of(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const char small = static_cast<char>(byte | 0x20);
  return small >= 'a' && small <= 'z' ? small - 'a' + 10 : 36;
}

/// How many bytes at the start of `text` are digits of `base`, with single underscores between them.
std::size_t digits(std::string_view text, int base) {
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t digit = end + (text[end] == '_' && end > 0 ? 1 : 0);
    if (digit == text.size() || value_of(text[digit]) >= base) break;
    end = digit + 1;
  }
  return end;
}

char32_t code_of(std::string_view digits, int base) {
  std::uint32_t code = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) refuse("an escape in a string is no character");
  return static_cast<char32_t>(code);
}

/// The base that a prefix names, which is passed; 0: there is none.
int take_prefix(std::string_view& text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  const char letter = static_cast<char>(text[1] | 0x20);
  const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  if (base != 0) text.remove_prefix(2);
  return base;
}

/// Digits of any script become ASCII's; none where something else is not ASCII.
std::optional<std::string> plain_digits(std::string_view text) {
  std::string out;
  bool plain = true;
  text::each_character(text, [&](std::string_view character) {
    const char32_t code = utf8::decode(character);
    if (code < 0x80) out += static_cast<char>(code);
    else if (text::is_decimal(code)) out += static_cast<char>('0' + text::digit_value(code));
    else plain = false;
  });
  return plain ? std::optional(out) : std::nullopt;
}

/// Reads the escape that `text` starts with, behind its backslash, appends what it means and passes it.
void take_escape(std::string_view& text, std::string& out) {
  static constexpr std::string_view kLetters = "ntrbfav\\'\"";
  static constexpr std::string_view kMeanings = "\n\t\r\b\f\a\v\\'\"";
  const char letter = text.front();
  const auto take = [&](std::size_t count) {
    const std::string_view taken = text.substr(0, count);
    text.remove_prefix(taken.size());
    return taken;
  };
  if (const std::size_t found = kLetters.find(letter); found != std::string_view::npos) {
    take(1);
    out += kMeanings[found];
  } else if (letter >= '0' && letter <= '7') {
    const auto octal = [](char byte) { return byte >= '0' && byte <= '7'; };
    const auto end =
        std::find_if_not(text.begin(), text.begin() + std::min<std::ptrdiff_t>(3, std::ssize(text)), octal);
    utf8::append(out, code_of(take(static_cast<std::size_t>(end - text.begin())), 8));
  } else if (const std::size_t count = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0; count != 0) {
    take(1);
    const std::string_view code = take(count);
    const bool whole =
        code.size() == count && std::all_of(code.begin(), code.end(), [](char c) { return value_of(c) < 16; });
    if (!whole) refuse("an escape in a string has too few hexadecimal digits");
    utf8::append(out, code_of(code, 16));
  } else if (letter == 'N') {
    refuse("an escape \\N{…} in a string is not supported; write \\u and the character's number");
  } else if (letter == '\n') {
    take(1);
  } else {
    // Python's own way: what follows is written in ASCII first, so a backslash before "é" gives "\xe9".
    out += '\\';
    out += text::ascii_only(take(utf8::length(letter)));
  }
}

}  // namespace

std::string unescaped(std::string_view inside) {
  std::string out;
  while (!inside.empty()) {
    const std::size_t plain = std::min(inside.find('\\'), inside.size());
    out += inside.substr(0, plain);
    inside.remove_prefix(plain);
    if (inside.empty()) break;
    inside.remove_prefix(1);
    if (inside.empty()) refuse("a string ends with a backslash");
    take_escape(inside, out);
  }
  return out;
}

NumberToken number_at(std::string_view text, bool after_dot) {
  const std::size_t whole = digits(text, 10);
  if (!after_dot) {
    std::size_t end = whole;
    const auto has_digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    if (end < text.size() && text[end] == '.' && has_digit(end + 1)) end += 1 + digits(text.substr(end + 1), 10);
    if (end < text.size() && (text[end] | 0x20) == 'e') {
      const bool sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-');
      const std::size_t exponent = end + (sign ? 2 : 1);
      if (has_digit(exponent)) end = exponent + digits(text.substr(exponent), 10);
    }
    if (end != whole) return {end, true};
  }
  std::string_view rest = text;
  if (const int base = take_prefix(rest); base != 0) {
    // An underscore may stand between the prefix and the digits.
    const std::size_t skipped = rest.starts_with('_') ? 1 : 0;
    const std::size_t length = digits(rest.substr(skipped), base);
    if (length != 0) return {2 + skipped + length, false};
  }
  if (text.front() != '0') return {whole, false};
  return {digits(text, 1), false};  // zeros alone
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  const std::optional<std::string> plain = plain_digits(text::strip(text, text::Side::kBoth));
  if (!plain) return std::nullopt;
  std::string_view rest = *plain;
  const bool minus = rest.starts_with('-');
  if (minus || rest.starts_with('+')) rest.remove_prefix(1);
  std::string_view behind = rest;
  const int prefix = take_prefix(behind);
  if (prefix != 0 && (base == 0 || base == prefix)) {
    rest = behind;
    base = prefix;
    if (rest.starts_with('_')) rest.remove_prefix(1);
  } else if (base == 0) {
    base = 10;
    if (rest.starts_with('0') && digits(rest, 1) != rest.size()) return std::nullopt;  // "017" is no number
  }
  if (rest.empty() || digits(rest, base) != rest.size()) return std::nullopt;
  std::string number = minus ? "-" : "";
  std::copy_if(rest.begin(), rest.end(), std::back_inserter(number), [](char byte) { return byte != '_'; });
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value, base);
  if (error == std::errc::result_out_of_range) refuse("the number ", text::excerpt(text), " does not fit 64 bits");
  return value;
}

std::optional<double> parse_float(std::string_view text) {
  const std::optional<std::string> plain = plain_digits(text::strip(text, text::Side::kBoth));
  if (!plain) return std::nullopt;
  std::string_view rest = *plain;
  const bool minus = rest.starts_with('-');
  if (minus || rest.starts_with('+')) rest.remove_prefix(1);
  std::string word(rest);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  const std::array<std::string_view, 3> words{"inf", "infinity", "nan"};
  if (std::find(words.begin(), words.end(), word) == words.end()) {
    std::size_t at = digits(word, 10);
    const std::size_t before = at;
    if (at < word.size() && word[at] == '.') ++at;
    const std::size_t after = at > before ? digits(std::string_view(word).substr(at), 10) : 0;
    at += after;
    if (before + after == 0) return std::nullopt;
    if (at < word.size() && word[at] == 'e') {
      at += at + 1 < word.size() && (word[at + 1] == '+' || word[at + 1] == '-') ? 2 : 1;
      const std::size_t exponent = digits(std::string_view(word).substr(at), 10);
      if (exponent == 0) return std::nullopt;
      at += exponent;
    }
    if (at != word.size()) return std::nullopt;
    std::erase(word, '_');
  }
  const double value = std::strtod(word.c_str(), nullptr);
  return minus ? -value : value;
}

}  // namespace kvmesh::llm::jinja

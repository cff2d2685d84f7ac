#include "llm/text/tokenizer/utf8.hpp"

#include <utf8proc.h>

namespace kvmesh::llm::utf8 {
namespace {

/// What may stand at one place of a character.
struct ByteRange {
  unsigned char low;
  unsigned char high;
};

struct Form {
  std::size_t length;  ///< 0: `lead` starts no character
  ByteRange second;    ///< narrower after some leads, so that there are no overlong forms, surrogates or giants
};

Form form_of(unsigned char lead) {
  if (lead < 0x80) return {1, {0, 0}};
  if (lead < 0xC2) return {0, {0, 0}};
  if (lead < 0xE0) return {2, {0x80, 0xBF}};
  if (lead == 0xE0) return {3, {0xA0, 0xBF}};
  if (lead == 0xED) return {3, {0x80, 0x9F}};
  if (lead < 0xF0) return {3, {0x80, 0xBF}};
  if (lead == 0xF0) return {4, {0x90, 0xBF}};
  if (lead < 0xF4) return {4, {0x80, 0xBF}};
  if (lead == 0xF4) return {4, {0x80, 0x8F}};
  return {0, {0, 0}};
}

/// How many bytes of `text` go along with `form`, the lead included.
std::size_t matching(std::string_view text, const Form& form) {
  std::size_t count = 1;
  while (count < form.length && count < text.size()) {
    const auto byte = static_cast<unsigned char>(text[count]);
    const ByteRange range = count == 1 ? form.second : ByteRange{0x80, 0xBF};
    if (byte < range.low || byte > range.high) break;
    ++count;
  }
  return count;
}

}  // namespace

std::size_t valid_length(std::string_view text) {
  const Form form = form_of(static_cast<unsigned char>(text.front()));
  return form.length != 0 && matching(text, form) == form.length ? form.length : 0;
}

std::size_t broken_length(std::string_view text) {
  const Form form = form_of(static_cast<unsigned char>(text.front()));
  return form.length == 0 ? 1 : matching(text, form);
}

bool is_incomplete(std::string_view text) {
  const Form form = form_of(static_cast<unsigned char>(text.front()));
  return text.size() < form.length && matching(text, form) == text.size();
}

std::string sanitize(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t valid = valid_length(bytes);
    text += valid != 0 ? bytes.substr(0, valid) : kReplacement;
    bytes.remove_prefix(valid != 0 ? valid : broken_length(bytes));
  }
  return text;
}

bool is_valid(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t valid = valid_length(bytes);
    if (valid == 0) return false;
    bytes.remove_prefix(valid);
  }
  return true;
}

char32_t decode(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<char32_t>(static_cast<unsigned char>(text[at])); };
  switch (length(text.front())) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3: return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    default: return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
  }
}

std::size_t last_start(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

void append(std::string& text, char32_t character) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xC0 | character >> 6);
    put(0x80 | (character & 0x3F));
  } else if (character < 0x10000) {
    put(0xE0 | character >> 12);
    put(0x80 | (character >> 6 & 0x3F));
    put(0x80 | (character & 0x3F));
  } else {
    put(0xF0 | character >> 18);
    put(0x80 | (character >> 12 & 0x3F));
    put(0x80 | (character >> 6 & 0x3F));
    put(0x80 | (character & 0x3F));
  }
}

bool is_space(char32_t character) {
  if (character < 0x80) return character == ' ' || (character >= '\t' && character <= '\r');
  return character == 0x85 || character == 0xA0 || character == 0x1680 ||
         (character >= 0x2000 && character <= 0x200A) || character == 0x2028 || character == 0x2029 ||
         character == 0x202F || character == 0x205F || character == 0x3000;
}

bool is_word(char32_t character) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(character));
  const bool letter_mark_or_digit = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL;
  return letter_mark_or_digit || category == UTF8PROC_CATEGORY_PC;
}

bool is_numeric(char32_t character) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(character));
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

}  // namespace kvmesh::llm::utf8

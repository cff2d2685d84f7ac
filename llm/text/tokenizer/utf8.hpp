#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// UTF-8 as a tokenizer needs it. Where nothing else is said, text is valid UTF-8 and positions are bytes.
namespace kvmesh::llm::utf8 {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  ///< U+FFFD

/// Length of the well-formed character that `text` starts with, or 0. `text` may be any bytes, not empty.
std::size_t valid_length(std::string_view text);

/// How many bytes at the start of `text` (any bytes, not starting with a well-formed character) one U+FFFD stands for:
/// the longest start of a well-formed character, at least one byte (Unicode's "maximal subpart").
std::size_t broken_length(std::string_view text);

/// Could more bytes make `text` (any bytes, not empty) a well-formed character?
bool is_incomplete(std::string_view text);

/// `bytes` with whatever is not UTF-8 replaced by U+FFFD.
std::string sanitize(std::string_view bytes);

bool is_valid(std::string_view bytes);

/// Can `byte` start a character?
inline bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// Bytes of the character that starts with `lead`.
inline std::size_t length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The first character of `text`, which is not empty.
char32_t decode(std::string_view text);

/// Where the last character of `text` (not empty) starts.
std::size_t last_start(std::string_view text);

void append(std::string& text, char32_t character);

bool is_space(char32_t character);    ///< property White_Space, which does not grow any more
bool is_numeric(char32_t character);  ///< general category N, as utf8proc has it
bool is_word(char32_t character);     ///< general categories L, M, Nd, Nl and Pc, as utf8proc has them

}  // namespace kvmesh::llm::utf8

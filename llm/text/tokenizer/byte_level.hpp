#pragma once

#include <optional>
#include <string>
#include <string_view>

/// GPT-2's way to write any byte as a printable character: a space is "Ġ", a line feed "Ċ", 'a' itself.
namespace kvmesh::llm::byte_level {

/// GPT-2's pattern, which a ByteLevel pre-tokenizer with use_regex cuts by.
inline constexpr std::string_view kPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// `text`, byte by byte.
std::string spell(std::string_view text);

/// The bytes that `token` (valid UTF-8) spells; none if it has a character that stands for no byte.
std::optional<std::string> bytes(std::string_view token);

}  // namespace kvmesh::llm::byte_level

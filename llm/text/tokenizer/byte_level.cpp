#include "llm/text/tokenizer/byte_level.hpp"

#include <array>

#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm::byte_level {
namespace {

constexpr std::size_t kCharacters = 0x144;  ///< the characters in use lie below

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int, kCharacters> byte{};  ///< -1: stands for no byte

  constexpr Alphabet() {
    for (int& entry : byte) entry = -1;
    char32_t next = 0x100;
    for (char32_t value = 0; value < 256; ++value) {
      const bool printable =
          (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xAC) || (value >= 0xAE && value <= 0xFF);
      character[value] = printable ? value : next++;
      byte[character[value]] = static_cast<int>(value);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

std::string spell(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for (const char byte : text) utf8::append(out, kAlphabet.character[static_cast<unsigned char>(byte)]);
  return out;
}

std::optional<std::string> bytes(std::string_view token) {
  std::string out;
  for (; !token.empty(); token.remove_prefix(utf8::length(token.front()))) {
    const char32_t character = utf8::decode(token);
    if (character >= kCharacters || kAlphabet.byte[character] < 0) return std::nullopt;
    out.push_back(static_cast<char>(kAlphabet.byte[character]));
  }
  return out;
}

}  // namespace kvmesh::llm::byte_level

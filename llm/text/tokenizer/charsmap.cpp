#include "llm/text/tokenizer/charsmap.hpp"

#include "llm/text/tokenizer/unicode.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

/// `tokenizers` looks up characters together only where they are shorter than this, in bytes.
constexpr std::size_t kLongestCluster = 6;

std::string decode_base64(const Description& where) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = where.text();
  while (text.ends_with('=')) text.pop_back();
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char letter : text) {
    const std::size_t digit = kDigits.find(letter);
    if (digit == std::string_view::npos) where.fail("\"", letter, "\" is no letter of base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<char>(bits >> count & 0xFF));
  }
  return bytes;
}

std::uint32_t little_endian(std::string_view bytes) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])); };
  return byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
}

/// A unit of the trie: how far its children are, which byte leads here, whether a key ends here; or a value.
std::size_t offset_of(std::uint32_t unit) { return std::size_t{unit >> 10} << ((unit & 1U << 9) >> 6); }
bool is_reached_by(std::uint32_t unit, unsigned char byte) { return (unit & (1U << 31 | 0xFF)) == byte; }
bool ends_key(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::size_t value_of(std::uint32_t unit) { return unit & ((1U << 31) - 1); }

}  // namespace

Charsmap::Charsmap(const Description& description) {
  if (!description.has("precompiled_charsmap")) return;
  const Description where = description.at("precompiled_charsmap");
  const std::string bytes = decode_base64(where);
  const std::size_t trie = bytes.size() < 4 ? 0 : little_endian(bytes);
  if (trie == 0 || trie % 4 != 0 || trie > bytes.size() - 4) {
    where.fail("is not a map of characters: its ", bytes.size(), " bytes do not begin with the size of a trie");
  }
  units_.reserve(trie / 4);
  for (std::size_t at = 4; at < 4 + trie; at += 4) units_.push_back(little_endian(std::string_view(bytes).substr(at)));
  values_ = bytes.substr(4 + trie);
  if (!utf8::is_valid(values_)) where.fail("is not a map of characters: what it replaces with is not UTF-8");
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  std::size_t node = offset_of(units_[0]);
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || !is_reached_by(units_[node], byte)) return std::nullopt;
    const std::uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!ends_key(unit)) continue;
    const std::size_t begin = node < units_.size() ? value_of(units_[node]) : values_.size();
    if (begin > values_.size() || (begin < values_.size() && !utf8::starts_character(values_[begin]))) {
      return std::nullopt;  // a damaged map
    }
    return std::string_view(values_).substr(begin, values_.find('\0', begin) - begin);
  }
  return std::nullopt;
}

std::string Charsmap::apply(std::string text) const {
  std::string out;
  out.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view cluster = rest.substr(0, unicode::cluster_length(rest));
    rest.remove_prefix(cluster.size());
    if (cluster.size() < kLongestCluster) {
      if (const auto replacement = find(cluster)) {
        out += *replacement;
        continue;
      }
    }
    for (std::size_t at = 0; at < cluster.size();) {
      const std::string_view character = cluster.substr(at, utf8::length(cluster[at]));
      out += find(character).value_or(character);
      at += character.size();
    }
  }
  return out;
}

}  // namespace kvmesh::llm

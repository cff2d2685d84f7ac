#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What characters are, by Unicode 16.0 and in the ways that Hugging Face's `tokenizers` asks for it. Of our own, so
/// that it does not change with the libraries that are installed (docs/decisions/0015-unicode-data.md).
namespace kvmesh::llm::unicode {

struct Range {
  char32_t first = 0;
  char32_t last = 0;
};
using Set = std::vector<Range>;  ///< sorted, without touching neighbours

/// General categories, in the order of unicode_table.inc.
enum class Category : std::uint8_t {
  kLu,
  kLl,
  kLt,
  kLm,
  kLo,
  kMn,
  kMc,
  kMe,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPs,
  kPe,
  kPi,
  kPf,
  kPo,
  kSm,
  kSc,
  kSk,
  kSo,
  kZs,
  kZl,
  kZp,
  kCc,
  kCf,
  kCs,
  kCo,
  kCn
};

Category category(char32_t character);

bool is_word(char32_t character);     ///< Rust's \w: letters, marks, decimal digits, connectors, joiners
bool is_numeric(char32_t character);  ///< Rust's: general category N of Unicode 17

/// The older editions of Unicode that parts of `tokenizers` are compiled with:
bool is_punctuation(char32_t character);      ///< ASCII punctuation or general category P
bool is_combining_mark(char32_t character);   ///< what StripAccents takes away: general category M
bool is_nonspacing_mark(char32_t character);  ///< what BertNormalizer takes away: general category Mn
bool is_bert_control(char32_t character);     ///< what BertNormalizer cleans away: general category C, but \t \n \r

/// Is `character` newer than the edition by which `tokenizers` composes and decomposes, and would change if it was not?
bool is_unknown_to_forms(char32_t character);

/// Small letters for each character of `text`, by itself.
std::string to_lower(std::string_view text);

/// How many bytes at the start of `text` (not empty) belong to one extended grapheme cluster.
std::size_t cluster_length(std::string_view text);

/// The characters of Oniguruma's \p{name}: general categories, scripts, Alphabetic and its like, POSIX classes; however
/// `name` is written ("Lu", "uppercase letter", "Uppercase_Letter"). None for properties that are not in our tables.
std::optional<Set> find_property(std::string_view name);

/// The characters of Oniguruma's [:name:] ("alpha"). None for another name, and for classes that never change.
std::optional<Set> find_posix_class(std::string_view name);

/// `name` as Unicode compares names of properties: small letters, without spaces, '-' and '_'.
std::string plain_name(std::string_view name);

/// The characters of Oniguruma's [:word:].
const Set& word_set();

}  // namespace kvmesh::llm::unicode

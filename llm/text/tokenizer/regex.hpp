#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvmesh::llm {

/// A stretch of a text, in bytes, and whether the pattern matched it.
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool matched = false;
};

/// A pattern of a tokenizer.json: PCRE2, read the way Oniguruma (which `tokenizers` uses) reads ^, $, \s, \w, \b, \h,
/// scripts and intersections of classes. Immutable; match() may be called from several threads at once.
class Regex {
 public:
  /// Throws Error{kFixInput} that quotes the pattern; the caller says where it stands.
  static Regex compile(const std::string& pattern);
  /// A pattern that matches exactly `text`.
  static Regex literal(std::string_view text);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// `text` (valid UTF-8) cut into matches and what lies between them, in order, without gaps.
  std::vector<Stretch> cut(std::string_view text) const;

  /// `text` with every match replaced by `replacement`, taken literally.
  std::string replace(std::string_view text, std::string_view replacement) const;

 private:
  struct Code;
  explicit Regex(std::unique_ptr<const Code> code);
  std::unique_ptr<const Code> code_;
};

namespace detail {

/// Oniguruma's `pattern` as PCRE2 has to be told it. Throws Error{kFixInput} for what cannot be translated.
std::string translate_pattern(std::string_view pattern);

}  // namespace detail
}  // namespace kvmesh::llm

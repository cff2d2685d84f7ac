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

/// A pattern of a tokenizer.json: Oniguruma's syntax, run by Oniguruma, as in `tokenizers`. Immutable; const members
/// may be called from several threads at once.
class Regex {
 public:
  /// Throws Error{kFixInput} that quotes the pattern; the caller says where it stands.
  static Regex compile(const std::string& pattern);
  /// A pattern that matches exactly `text`. Empty text matches before and behind every character.
  static Regex literal(std::string_view text);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// `text` (valid UTF-8) cut into matches and what lies between them, in order, without gaps. Throws Error{kFixInput}
  /// that quotes the pattern where it backtracks over `text` without end, or takes too much memory for it.
  std::vector<Stretch> cut(std::string_view text) const;

  /// `text` with every match replaced by `replacement`, taken literally. Throws as cut().
  std::string replace(std::string_view text, std::string_view replacement) const;

 private:
  struct Code;
  explicit Regex(std::unique_ptr<const Code> code);
  std::unique_ptr<const Code> code_;
};

namespace detail {

/// `pattern` with the classes whose members grow with Unicode (\w, \d, \b, \p{...}, [:alpha:]) written out, so that it
/// does not matter which version of Unicode the installed Oniguruma knows.
std::string with_own_classes(std::string_view pattern);

}  // namespace detail
}  // namespace kvmesh::llm

#include <optional>

#include "base/error.hpp"
#include "llm/text/tokenizer/regex.hpp"
#include "llm/text/tokenizer/unicode.hpp"

namespace kvmesh::llm::detail {
namespace {

std::string ranges_of(const unicode::Set& set) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  const auto put = [&](char32_t character) {
    text += "\\x{";
    for (int shift = 20; shift >= 0; shift -= 4) text += kDigits[character >> shift & 0xF];
    text += '}';
  };
  for (const unicode::Range& range : set) {
    put(range.first);
    if (range.last == range.first) continue;
    text += '-';
    put(range.last);
  }
  return text;
}

/// Does a group such as (?i) or (?im-x:...) of `pattern` name one of `options`?
bool has_option(std::string_view pattern, std::string_view options) {
  for (std::size_t at = pattern.find("(?"); at != std::string_view::npos; at = pattern.find("(?", at + 2)) {
    const std::string_view rest = pattern.substr(at + 2);
    const std::size_t end = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    if (end == std::string_view::npos || (rest[end] != ')' && rest[end] != ':')) continue;
    if (rest.substr(0, end).find_first_of(options) != std::string_view::npos) return true;
  }
  return false;
}

/// Walks over a pattern once. What it does not know it copies.
class Writer {
 public:
  explicit Writer(std::string_view pattern) : pattern_(pattern), ignores_case_(has_option(pattern, "i")) {}

  std::string run() {
    // These options make \w, \d and the like mean ASCII, which does not change with Unicode.
    if (has_option(pattern_, "WDSP")) return std::string(pattern_);
    while (!at_end()) {
      if (take_escape() || take_posix_class()) continue;
      if (peek() == '[') {
        ++depth_;
        out_ += take();
        if (peek() == '^') out_ += take();
        if (peek() == ']') out_ += take();  // the first member of a class may be a plain ]
      } else {
        if (peek() == ']' && depth_ > 0) --depth_;
        out_ += take();
      }
    }
    return std::move(out_);
  }

 private:
  bool at_end() const { return at_ == pattern_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  char take() { return pattern_[at_++]; }

  /// A class of its own. Outside of brackets (?i) has no bearing on \w or \p{Lu}, within it has, as with brackets.
  void put_class(const unicode::Set& set, bool negated) {
    const std::string plain = cat(negated ? "[^" : "[", ranges_of(set), "]");
    out_ += depth_ > 0 || !ignores_case_ ? plain : cat("(?-i:", plain, ")");
  }

  /// Outside of brackets, and only there, Oniguruma has six more characters in \w: ², ³, ¹, ¼, ½ and ¾.
  static std::string lone_word_ranges() {
    return cat(ranges_of(unicode::word_set()), "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}");
  }

  void put_word(bool negated) {
    if (depth_ > 0) return put_class(unicode::word_set(), negated);
    out_ += cat("(?-i:", negated ? "[^" : "[", lone_word_ranges(), "])");
  }

  /// \b and \B, by what \w is.
  void put_boundary(bool negated) {
    const std::string word = cat("(?-i:[", lone_word_ranges(), "])");
    const std::string ahead = cat("(?=", word, ")"), not_ahead = cat("(?!", word, ")");
    const std::string behind = cat("(?<=", word, ")"), not_behind = cat("(?<!", word, ")");
    out_ += negated ? cat("(?:", behind, ahead, "|", not_behind, not_ahead, ")")
                    : cat("(?:", behind, not_ahead, "|", not_behind, ahead, ")");
  }

  bool take_escape() {
    if (peek() != '\\' || at_ + 1 == pattern_.size()) return false;
    const char letter = peek(1);
    if (letter == 'w' || letter == 'W') {
      put_word(letter == 'W');
    } else if (letter == 'd' || letter == 'D') {
      put_class(*unicode::find_property("Nd"), letter == 'D');
    } else if ((letter == 'b' || letter == 'B') && depth_ == 0 && peek(2) != '{') {
      put_boundary(letter == 'B');
    } else if ((letter == 'p' || letter == 'P') && peek(2) == '{') {
      return take_property(letter == 'P');
    } else {
      out_ += pattern_.substr(at_, 2);
    }
    at_ += 2;
    return true;
  }

  bool take_property(bool negated) {
    const std::size_t close = pattern_.find('}', at_);
    if (close == std::string_view::npos) return false;
    std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    const auto set = unicode::find_property(name);
    if (!set) {
      out_ += pattern_.substr(at_, 2);
      at_ += 2;
      return true;
    }
    at_ = close + 1;
    if (unicode::plain_name(name) == "word") {
      put_word(negated);
    } else {
      put_class(*set, negated);
    }
    return true;
  }

  /// [:alpha:] and [:^alpha:], within brackets.
  bool take_posix_class() {
    if (depth_ == 0 || peek() != '[' || peek(1) != ':') return false;
    const bool negated = peek(2) == '^';
    const std::size_t begin = at_ + (negated ? 3 : 2);
    const std::size_t close = pattern_.find(":]", begin);
    if (close == std::string_view::npos) return false;
    const auto set = unicode::find_posix_class(pattern_.substr(begin, close - begin));
    if (!set) return false;
    put_class(*set, negated);
    at_ = close + 2;
    return true;
  }

  std::string_view pattern_;
  bool ignores_case_;
  std::size_t at_ = 0;
  int depth_ = 0;  ///< of brackets
  std::string out_;
};

}  // namespace

std::string with_own_classes(std::string_view pattern) { return Writer(pattern).run(); }

}  // namespace kvmesh::llm::detail

#include <array>

#include "base/error.hpp"
#include "llm/text/tokenizer/regex.hpp"

namespace kvmesh::llm::detail {
namespace {

constexpr std::string_view kWordSet = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view kHexSet = "0-9A-Fa-f";

/// Walks over a pattern once. Three things differ between the engines: \s has U+180E in PCRE2 and \w (with \b) lacks
/// marks there, a script is its extensions there, and a class within a class is plain characters there.
class Translation {
 public:
  explicit Translation(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    std::string out;
    while (!at_end()) {
      if (peek() == '[') {
        out += character_class();
      } else if (peek() == '\\') {
        out += escape(/*in_class=*/false);
      } else {
        out += take();
      }
    }
    return out;
  }

 private:
  bool at_end() const { return at_ == pattern_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  char take() { return pattern_[at_++]; }

  [[noreturn]] void refuse(std::string_view what) const {
    fail_input("the pattern \"", pattern_, "\" has ", what, ", which is not supported");
  }

  std::string escape(bool in_class) {
    take();
    if (at_end()) refuse("a backslash at its end");
    const char letter = take();
    const auto set = [&](std::string_view inside) { return in_class ? std::string(inside) : cat("[", inside, "]"); };
    switch (letter) {
      case 's': return "\\p{White_Space}";
      case 'S': return "\\P{White_Space}";
      case 'w': return set(kWordSet);
      case 'h': return set(kHexSet);
      case 'W':
        if (in_class) refuse("\\W in a class");
        return cat("[^", kWordSet, "]");
      case 'H':
        if (in_class) refuse("\\H in a class");
        return cat("[^", kHexSet, "]");
      case 'b':
        if (in_class) return "\\b";
        return cat("(?:(?<=[", kWordSet, "])(?![", kWordSet, "])|(?<![", kWordSet, "])(?=[", kWordSet, "]))");
      case 'B':
        if (in_class) refuse("\\B in a class");
        return cat("(?:(?<=[", kWordSet, "])(?=[", kWordSet, "])|(?<![", kWordSet, "])(?![", kWordSet, "]))");
      case 'p':
      case 'P': return property(letter);
      default: return cat("\\", letter);
    }
  }

  std::string property(char letter) {
    static constexpr std::array<std::string_view, 13> kScripts{"Han",        "Hiragana", "Katakana", "Hangul", "Latin",
                                                               "Cyrillic",   "Greek",    "Arabic",   "Hebrew", "Thai",
                                                               "Devanagari", "Bengali",  "Tamil"};
    if (peek() != '{') return cat("\\", letter);
    const std::size_t close = pattern_.find('}', at_);
    if (close == std::string_view::npos) refuse("an unclosed \\p{");
    const std::string_view name = pattern_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    for (const std::string_view script : kScripts) {
      if (name == script) return cat("\\", letter, "{sc:", name, "}");
      if (name.starts_with('^') && name.substr(1) == script) return cat("\\", letter, "{^sc:", script, "}");
    }
    return cat("\\", letter, "{", name, "}");
  }

  /// A class, from '[' to ']'. `[A&&[B]]` becomes `(?:(?=[B])[A])`.
  std::string character_class() {
    take();
    const bool negated = peek() == '^';
    if (negated) take();
    std::string conditions;
    const std::string members = class_members(conditions);
    if (negated && !conditions.empty()) refuse("an intersection of this form");
    const std::string plain = cat(negated ? "[^" : "[", members, "]");
    return conditions.empty() ? plain : cat("(?:", conditions, plain, ")");
  }

  /// What stands up to the class's ']', which is passed. The members of a class within a class are its own.
  std::string class_members(std::string& conditions) {
    std::string members;
    for (bool first = true; first || peek() != ']'; first = false) {
      if (at_end()) refuse("an unclosed class");
      if (peek() == '&' && peek(1) == '&') {
        if (!conditions.empty() || peek(2) != '[') refuse("an intersection of this form");
        at_ += 2;
        conditions = cat("(?=", character_class(), ")");
        if (peek() != ']') refuse("an intersection of this form");
      } else if (peek() == '[' && peek(1) == ':') {
        const std::size_t close = pattern_.find(":]", at_);
        if (close == std::string_view::npos) refuse("an unclosed [:");
        members += pattern_.substr(at_, close + 2 - at_);
        at_ = close + 2;
      } else if (peek() == '[') {
        take();
        std::string inner;
        if (peek() == '^') refuse("a negated class within a class");
        members += class_members(inner);
        if (!inner.empty()) refuse("an intersection of this form");
      } else if (peek() == '\\') {
        members += escape(/*in_class=*/true);
      } else {
        members += take();
      }
    }
    take();
    return members;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
};

}  // namespace

std::string translate_pattern(std::string_view pattern) { return Translation(pattern).run(); }

}  // namespace kvmesh::llm::detail

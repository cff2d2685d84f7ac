#include "llm/text/jinja/lexer.hpp"

#include <algorithm>
#include <array>

#include "llm/text/jinja/literals.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr std::size_t kLongestTemplate = std::size_t{1} << 20;

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }
/// What Python's names may have behind their first character.
bool continues_name(char32_t character) { return utf8::is_word(character) || character == U'\u00B7'; }
bool is_name_character(char32_t character) { return continues_name(character) || text::is_numeric(character); }

/// One kind of line end, and none at the very end: what Jinja does first.
std::string with_plain_lines(std::string_view source) {
  std::string out;
  for (std::size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\r') {
      if (at + 1 == source.size() || source[at + 1] != '\n') out += '\n';
    } else {
      out += source[at];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : owner_(with_plain_lines(source)), source_(owner_) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t open = next_open();
      std::string_view text = source_.substr(at_, open - at_);
      if (open == source_.size()) {
        add_text(text);
        break;
      }
      add_text(trimmed_before(text, open));
      advance(open - at_ + 2);
      if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) advance(1);
      const char kind = source_[open + 1];
      if (kind == '#') {
        comment();
      } else if (kind == '{') {
        inside(TokenKind::kPrintBegin);
      } else if (!raw()) {
        inside(TokenKind::kTagBegin);
      }
    }
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { fail_input("line ", line_, ": ", what); }

  void add(TokenKind kind, std::string_view text) { tokens_.push_back({kind, std::string(text), line_}); }
  void add_text(std::string_view text) {
    if (!text.empty()) add(TokenKind::kText, text);
  }

  void advance(std::size_t count) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + count), '\n'));
    at_ += count;
  }

  std::string_view rest() const { return source_.substr(at_); }

  std::size_t next_open() const {
    for (std::size_t at = at_; (at = source_.find('{', at)) != std::string_view::npos; ++at) {
      if (at + 1 < source_.size() && (source_[at + 1] == '{' || source_[at + 1] == '%' || source_[at + 1] == '#')) {
        return at;
      }
    }
    return source_.size();
  }

  /// What `{%-` and lstrip_blocks leave of the text before a tag.
  std::string_view trimmed_before(std::string_view text, std::size_t open) const {
    const char sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
    if (sign == '-') {
      return text::strip(text, text::Side::kRight);
    } else if (sign != '+' && source_[open + 1] != '{') {
      const std::size_t line_start = text.rfind('\n') + 1;
      const bool starts_line = line_start > 0 || at_ == 0 || source_[at_ - 1] == '\n';
      const std::string_view indent = text.substr(line_start);
      if (starts_line && text::strip(indent, text::Side::kBoth).empty()) return text.substr(0, line_start);
    }
    return text;
  }

  /// Passes `close` ("%}"), with what its sign and trim_blocks take after it. False: it does not stand here.
  bool take_close(std::string_view close) {
    const bool strips = rest().starts_with('-') && rest().substr(1).starts_with(close);
    const bool keeps = rest().starts_with('+') && rest().substr(1).starts_with(close) && close != "}}";
    if (!strips && !keeps && !rest().starts_with(close)) return false;
    advance(close.size() + (strips || keeps ? 1 : 0));
    if (strips) {
      skip_space();
    } else if (!keeps && close != "}}" && rest().starts_with('\n')) {
      advance(1);
    }
    return true;
  }

  void skip_space() {
    while (at_ < source_.size()) {
      const std::size_t length = utf8::length(source_[at_]);
      if (!text::is_space(utf8::decode(rest()))) return;
      advance(length);
    }
  }

  void comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) refuse("the comment {# is not closed");
    const bool sign = end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    advance(end - at_ - (sign ? 1 : 0));
    take_close("#}");
  }

  /// `{% raw %}`, text that is taken as it stands, `{% endraw %}`.
  bool raw() {
    std::size_t at = at_;
    const auto pass_space = [&] {
      while (at < source_.size() && (is_blank(source_[at]) || source_[at] == '\n')) ++at;
    };
    pass_space();
    if (!source_.substr(at).starts_with("raw")) return false;
    at += 3;
    pass_space();
    const bool strips = source_.substr(at).starts_with("-%}");
    if (!strips && !source_.substr(at).starts_with("%}")) return false;
    advance(at - at_ + (strips ? 3 : 2));
    if (strips) skip_space();
    for (std::size_t open = at_; (open = source_.find("{%", open)) != std::string_view::npos; ++open) {
      at = open + 2;
      if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
      pass_space();
      if (!source_.substr(at).starts_with("endraw")) continue;
      at += 6;
      pass_space();
      add_text(trimmed_before(source_.substr(at_, open - at_), open));
      advance(at - at_);
      if (!take_close("%}")) refuse("{% endraw is not closed");
      return true;
    }
    refuse("{% raw %} has no {% endraw %}");
  }

  /// The tokens of one tag or print, its begin and end included.
  void inside(TokenKind begin) {
    const bool print = begin == TokenKind::kPrintBegin;
    add(begin, print ? "{{" : "{%");
    const int opened = line_;
    std::size_t depth = 0;
    while (true) {
      skip_space();
      if (at_ == source_.size()) fail_input("line ", opened, ": ", print ? "{{" : "{%", " is not closed");
      if (depth == 0 && take_close(print ? "}}" : "%}")) {
        add(print ? TokenKind::kPrintEnd : TokenKind::kTagEnd, "");
        return;
      }
      const char byte = source_[at_];
      if (is_digit(byte)) {
        number();
      } else if (is_name_character(utf8::decode(rest()))) {
        name();
      } else if (byte == '"' || byte == '\'') {
        string();
      } else {
        symbol(depth);
      }
    }
  }

  void name() {
    std::size_t end = at_;
    bool first = true;
    while (end < source_.size()) {
      const char32_t character = utf8::decode(source_.substr(end));
      if (!is_name_character(character)) break;
      // Python's names have no fractions or superscripts.
      const bool letter = character == '_' || text::is_letter(character);
      if (first ? !letter : !continues_name(character)) {
        refuse(cat("\"", text::excerpt(source_.substr(at_, end - at_ + utf8::length(source_[end]))), "\" is no name"));
      }
      end += utf8::length(source_[end]);
      first = false;
    }
    add(TokenKind::kName, source_.substr(at_, end - at_));
    advance(end - at_);
  }

  void number() {
    const NumberToken found = number_at(rest(), /*after_dot=*/at_ > 0 && source_[at_ - 1] == '.');
    std::string text(rest().substr(0, found.length));
    std::erase(text, '_');
    add(found.is_float ? TokenKind::kFloat : TokenKind::kInteger, text);
    advance(found.length);
  }

  void string() {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != source_[at_]) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) refuse(cat("the string ", text::excerpt(rest()), " is not closed"));
    try {
      add(TokenKind::kString, unescaped(source_.substr(at_ + 1, end - at_ - 1)));
    } catch (const TemplateError& error) {
      refuse(error.what());
    }
    advance(end + 1 - at_);
  }

  void symbol(std::size_t& depth) {
    static constexpr std::array<std::string_view, 6> kDouble{"//", "**", "==", "!=", "<=", ">="};
    static constexpr std::string_view kSingle = "+-*/%~<>=.,:|()[]{}";
    for (const std::string_view two : kDouble) {
      if (rest().starts_with(two)) {
        add(TokenKind::kSymbol, two);
        return advance(2);
      }
    }
    const char byte = source_[at_];
    if (kSingle.find(byte) == std::string_view::npos)
      refuse(cat("the character \"", rest().substr(0, utf8::length(byte)), "\" is not understood"));
    if (byte == '(' || byte == '[' || byte == '{') ++depth;
    if ((byte == ')' || byte == ']' || byte == '}') && depth-- == 0) {
      refuse(cat("\"", rest().substr(0, 1), "\" closes nothing"));
    }
    add(TokenKind::kSymbol, rest().substr(0, 1));
    advance(1);
  }

  std::string owner_;
  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (source.size() > kLongestTemplate) {
    fail_input("line 1: the template has ", source.size(), " bytes, and ", kLongestTemplate,
               " is the most it may have");
  }
  return Lexer(source).run();
}

}  // namespace kvmesh::llm::jinja

#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "llm/text/jinja/lexer.hpp"

namespace kvmesh::llm::jinja {

/// The tokens of a template, read one after the other. The last one, kEnd, is never passed.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  int line() const { return peek().line; }

  /// Where take() stands, and whether `name` is among the tokens from `begin` to there.
  std::size_t position() const { return at_; }
  bool has_name_since(std::size_t begin, std::string_view name) const {
    return std::any_of(tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
                       tokens_.begin() + static_cast<std::ptrdiff_t>(at_),
                       [&](const Token& token) { return token.is_name(name); });
  }

  Token take() {
    Token token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool take_symbol(std::string_view symbol) { return peek().is_symbol(symbol) && (take(), true); }
  bool take_name(std::string_view name) { return peek().is_name(name) && (take(), true); }

  void need_symbol(std::string_view symbol) {
    if (!take_symbol(symbol)) refuse(cat("expected \"", symbol, "\""));
  }
  std::string need_name() {
    if (peek().kind != TokenKind::kName) refuse("expected a name");
    return take().text;
  }
  void need(TokenKind kind) {
    if (peek().kind != kind) refuse("expected the end of the tag");
    take();
  }

  /// Throws Error{kFixInput}: what is wrong, and what stands here.
  [[noreturn]] void refuse(std::string_view what) const {
    std::string here;
    for (std::size_t ahead = 0; ahead < 8 && peek(ahead).kind != TokenKind::kEnd; ++ahead) {
      const Token& token = peek(ahead);
      if (token.kind == TokenKind::kTagEnd || token.kind == TokenKind::kPrintEnd) break;
      here += (here.empty() ? "" : " ") + (token.kind == TokenKind::kString ? "'" + token.text + "'" : token.text);
    }
    fail_input("line ", line(), ": ", what, here.empty() ? " at the end of a tag" : cat(" at \"", here, "\""));
  }

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace kvmesh::llm::jinja

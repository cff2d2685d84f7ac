#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvmesh::llm::jinja {

enum class TokenKind {
  kText,
  kTagBegin,
  kTagEnd,
  kPrintBegin,
  kPrintEnd,
  kName,
  kInteger,
  kFloat,
  kString,
  kSymbol,
  kEnd
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  ///< of a string: what it means; of a symbol: the symbol
  int line = 1;

  bool is_symbol(std::string_view symbol) const { return kind == TokenKind::kSymbol && text == symbol; }
  bool is_name(std::string_view name) const { return kind == TokenKind::kName && text == name; }
};

/// Cuts a template into tokens, white space control applied (trim_blocks and lstrip_blocks are on, as in transformers).
/// The last token is kEnd. Throws Error{kFixInput} that names the line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace kvmesh::llm::jinja

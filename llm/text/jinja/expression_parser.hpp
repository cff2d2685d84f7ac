#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "llm/text/jinja/expression.hpp"
#include "llm/text/jinja/token_stream.hpp"

namespace kvmesh::llm::jinja {

/// Reads expressions with Jinja's precedence. Throws Error{kFixInput} that names the line and quotes what stands there.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPointer expression();
  /// Without an inline if, which in `for x in y if z` belongs to the loop.
  ExpressionPointer plain_expression() { return either(); }
  /// One expression, or several with commas between, which make a tuple.
  ExpressionPointer tuple(bool with_conditional = true);
  /// The filters that follow, if any.
  ExpressionPointer filters(ExpressionPointer input);
  /// One filter by its name, the bar already passed.
  ExpressionPointer filter(ExpressionPointer input);
  /// An expression that ends in a call, taken apart.
  std::pair<ExpressionPointer, CallArguments> call();

 private:
  /// Parts with `symbol` between them.
  ExpressionPointer choice(std::string_view symbol, ExpressionPointer (ExpressionParser::*part)());
  ExpressionPointer calculation(std::initializer_list<std::string_view> symbols,
                                ExpressionPointer (ExpressionParser::*part)());
  ExpressionPointer either();
  ExpressionPointer both();
  ExpressionPointer negation();
  ExpressionPointer comparison();
  ExpressionPointer sum();
  ExpressionPointer concatenation();
  ExpressionPointer product();
  ExpressionPointer power();
  ExpressionPointer operand() { return unary(/*with_filters=*/true); }
  ExpressionPointer unary(bool with_filters);
  ExpressionPointer primary();
  ExpressionPointer postfix(ExpressionPointer object);
  ExpressionPointer subscript(ExpressionPointer object);
  ExpressionPointer test(ExpressionPointer input);
  ExpressionPointer constant_or_name();
  ExpressionPointer integer();
  ExpressionPointer string();
  ExpressionPointer list();
  ExpressionPointer dict();
  CallArguments arguments();
  bool starts_test_argument() const;

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace kvmesh::llm::jinja

// What stands behind an expression: attributes, subscripts, calls, filters and tests.
#include <algorithm>
#include <array>

#include "llm/text/jinja/expression_parser.hpp"

namespace kvmesh::llm::jinja {

ExpressionPointer ExpressionParser::postfix(ExpressionPointer object) {
  while (true) {
    const int line = tokens_.line();
    if (tokens_.take_symbol(".")) {
      if (tokens_.peek().kind == TokenKind::kInteger) {
        object = make_subscript(line, std::move(object), primary());
      } else {
        object = make_attribute(line, std::move(object), tokens_.need_name());
      }
    } else if (tokens_.take_symbol("[")) {
      object = subscript(std::move(object));
    } else if (tokens_.peek().is_symbol("(")) {
      object = make_call(line, std::move(object), arguments());
    } else {
      return object;
    }
  }
}

ExpressionPointer ExpressionParser::subscript(ExpressionPointer object) {
  const int line = tokens_.line();
  const auto bound = [&]() -> ExpressionPointer {
    return tokens_.peek().is_symbol(":") || tokens_.peek().is_symbol("]") ? nullptr : expression();
  };
  ExpressionPointer start = bound();
  if (!tokens_.peek().is_symbol(":")) {
    if (!start) tokens_.refuse("expected an index");
    if (tokens_.peek().is_symbol(",")) {
      std::vector<ExpressionPointer> several;
      several.push_back(std::move(start));
      while (tokens_.take_symbol(",")) several.push_back(expression());
      start = make_list(line, std::move(several), /*is_tuple=*/true);
    }
    tokens_.need_symbol("]");
    return make_subscript(line, std::move(object), std::move(start));
  }
  tokens_.take();
  ExpressionPointer stop = bound();
  ExpressionPointer step = tokens_.take_symbol(":") ? bound() : nullptr;
  tokens_.need_symbol("]");
  return make_slice(line, std::move(object), std::move(start), std::move(stop), std::move(step));
}

CallArguments ExpressionParser::arguments() {
  CallArguments out;
  tokens_.need_symbol("(");
  for (bool first = true; !tokens_.take_symbol(")"); first = false) {
    if (!first) {
      tokens_.need_symbol(",");
      if (tokens_.take_symbol(")")) break;
    }
    if (tokens_.peek().is_symbol("*") && !out.star && !out.double_star) {
      tokens_.take();
      out.star = expression();
    } else if (tokens_.peek().is_symbol("**") && !out.double_star) {
      tokens_.take();
      out.double_star = expression();
    } else if (tokens_.peek().kind == TokenKind::kName && tokens_.peek(1).is_symbol("=")) {
      std::string name = tokens_.take().text;
      tokens_.take();
      out.keyword.emplace_back(std::move(name), expression());
    } else {
      const bool late = !out.keyword.empty() || out.star || out.double_star;
      if (late) tokens_.refuse("an argument without a name follows one with a name or a star");
      out.positional.push_back(expression());
    }
  }
  return out;
}

ExpressionPointer ExpressionParser::filters(ExpressionPointer input) {
  while (true) {
    const int line = tokens_.line();
    if (tokens_.take_symbol("|")) {
      input = filter(std::move(input));
    } else if (tokens_.take_name("is")) {
      input = test(std::move(input));
    } else if (tokens_.peek().is_symbol("(")) {
      input = make_call(line, std::move(input), arguments());
    } else {
      return input;
    }
  }
}

ExpressionPointer ExpressionParser::filter(ExpressionPointer input) {
  const int line = tokens_.line();
  std::string name = tokens_.need_name();
  CallArguments values = tokens_.peek().is_symbol("(") ? arguments() : CallArguments{};
  return make_filter(line, std::move(input), std::move(name), std::move(values));
}

bool ExpressionParser::starts_test_argument() const {
  // As in Jinja: `x is odd if y` takes `if` for the test's argument.
  static constexpr std::array<std::string_view, 3> kReserved{"else", "or", "and"};
  const Token& token = tokens_.peek();
  switch (token.kind) {
    case TokenKind::kName: return std::find(kReserved.begin(), kReserved.end(), token.text) == kReserved.end();
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kFloat: return true;
    case TokenKind::kSymbol: return token.text == "[" || token.text == "{";
    case TokenKind::kText:
    case TokenKind::kTagBegin:
    case TokenKind::kTagEnd:
    case TokenKind::kPrintBegin:
    case TokenKind::kPrintEnd:
    case TokenKind::kEnd: return false;
  }
  return false;
}

ExpressionPointer ExpressionParser::test(ExpressionPointer input) {
  const int line = tokens_.line();
  const bool negated = tokens_.take_name("not");
  std::string name = tokens_.need_name();
  CallArguments values;
  if (tokens_.peek().is_symbol("(")) {
    values = arguments();
  } else if (starts_test_argument()) {
    if (tokens_.peek().is_name("is")) tokens_.refuse("tests cannot follow each other");
    values.positional.push_back(postfix(primary()));
  }
  return make_test(line, std::move(input), std::move(name), std::move(values), negated);
}

std::pair<ExpressionPointer, CallArguments> ExpressionParser::call() {
  ExpressionPointer function = constant_or_name();
  while (tokens_.take_symbol(".")) function = make_attribute(tokens_.line(), std::move(function), tokens_.need_name());
  return {std::move(function), arguments()};
}

}  // namespace kvmesh::llm::jinja

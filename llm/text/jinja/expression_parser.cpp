#include "llm/text/jinja/expression_parser.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "llm/text/jinja/literals.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// Counts how deep the parser is while it lives.
class Depth {
 public:
  Depth(int& depth, const TokenStream& tokens) : depth_(depth) {
    if (++depth_ > Expression::kDeepest) {
      --depth_;
      tokens.refuse(cat("an expression holds others more than ", Expression::kDeepest, " deep, the most that may be"));
    }
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  int& depth_;
};

}  // namespace

ExpressionPointer ExpressionParser::expression() {
  const Depth depth(depth_, tokens_);
  ExpressionPointer value = either();
  while (tokens_.peek().is_name("if")) {
    const int line = tokens_.take().line;
    ExpressionPointer condition = either();
    ExpressionPointer otherwise = tokens_.take_name("else") ? expression() : nullptr;
    value = make_conditional(line, std::move(condition), std::move(value), std::move(otherwise));
  }
  return value;
}

ExpressionPointer ExpressionParser::tuple(bool with_conditional) {
  const int line = tokens_.line();
  const auto item = [&] { return with_conditional ? expression() : either(); };
  ExpressionPointer first = item();
  if (!tokens_.peek().is_symbol(",")) return first;
  std::vector<ExpressionPointer> items;
  items.push_back(std::move(first));
  while (tokens_.take_symbol(",")) {
    const Token& next = tokens_.peek();
    if (next.is_symbol(")") || next.kind == TokenKind::kTagEnd || next.kind == TokenKind::kPrintEnd) break;
    items.push_back(item());
  }
  return make_list(line, std::move(items), /*is_tuple=*/true);
}

ExpressionPointer ExpressionParser::choice(std::string_view symbol, ExpressionPointer (ExpressionParser::*part)()) {
  std::vector<ExpressionPointer> parts;
  parts.push_back((this->*part)());
  while (tokens_.take_name(symbol)) parts.push_back((this->*part)());
  return parts.size() == 1 ? std::move(parts.front()) : make_choice(std::string(symbol), std::move(parts));
}

ExpressionPointer ExpressionParser::calculation(std::initializer_list<std::string_view> symbols,
                                                ExpressionPointer (ExpressionParser::*part)()) {
  ExpressionPointer first = (this->*part)();
  std::vector<Link> rest;
  while (std::any_of(symbols.begin(), symbols.end(), [&](auto symbol) { return tokens_.peek().is_symbol(symbol); })) {
    Token token = tokens_.take();
    rest.push_back({token.line, std::move(token.text), (this->*part)()});
  }
  return rest.empty() ? std::move(first) : make_calculation(std::move(first), std::move(rest));
}

ExpressionPointer ExpressionParser::either() { return choice("or", &ExpressionParser::both); }
ExpressionPointer ExpressionParser::both() { return choice("and", &ExpressionParser::negation); }
ExpressionPointer ExpressionParser::sum() { return calculation({"+", "-"}, &ExpressionParser::concatenation); }
ExpressionPointer ExpressionParser::concatenation() { return calculation({"~"}, &ExpressionParser::product); }
ExpressionPointer ExpressionParser::product() { return calculation({"*", "/", "//", "%"}, &ExpressionParser::power); }
ExpressionPointer ExpressionParser::power() { return calculation({"**"}, &ExpressionParser::operand); }

ExpressionPointer ExpressionParser::negation() {
  if (!tokens_.peek().is_name("not")) return comparison();
  const Depth depth(depth_, tokens_);
  const int line = tokens_.take().line;
  return make_unary(line, "not", negation());
}

ExpressionPointer ExpressionParser::comparison() {
  static constexpr std::array<std::string_view, 6> kSymbols{"==", "!=", "<", "<=", ">", ">="};
  ExpressionPointer first = sum();
  std::vector<Link> rest;
  while (true) {
    const Token& token = tokens_.peek();
    const int line = token.line;
    if (token.kind == TokenKind::kSymbol && std::find(kSymbols.begin(), kSymbols.end(), token.text) != kSymbols.end()) {
      std::string symbol = tokens_.take().text;
      rest.push_back({line, std::move(symbol), sum()});
    } else if (tokens_.take_name("in")) {
      rest.push_back({line, "in", sum()});
    } else if (token.is_name("not") && tokens_.peek(1).is_name("in")) {
      tokens_.take();
      tokens_.take();
      rest.push_back({line, "not in", sum()});
    } else {
      return rest.empty() ? std::move(first) : make_comparison(std::move(first), std::move(rest));
    }
  }
}

ExpressionPointer ExpressionParser::unary(bool with_filters) {
  const Depth depth(depth_, tokens_);
  ExpressionPointer node;
  if (tokens_.peek().is_symbol("-") || tokens_.peek().is_symbol("+")) {
    const Token token = tokens_.take();
    node = make_unary(token.line, token.text, unary(/*with_filters=*/false));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filters ? filters(std::move(node)) : std::move(node);
}

ExpressionPointer ExpressionParser::primary() {
  const int line = tokens_.line();
  switch (tokens_.peek().kind) {
    case TokenKind::kName: return constant_or_name();
    case TokenKind::kString: return string();
    case TokenKind::kInteger: return integer();
    case TokenKind::kFloat: return make_constant(line, std::strtod(tokens_.take().text.c_str(), nullptr));
    case TokenKind::kSymbol:
      if (tokens_.peek().is_symbol("[")) return list();
      if (tokens_.peek().is_symbol("{")) return dict();
      if (tokens_.take_symbol("(")) {
        if (tokens_.take_symbol(")")) return make_list(line, {}, /*is_tuple=*/true);
        ExpressionPointer inner = tuple();
        tokens_.need_symbol(")");
        return inner;
      }
      break;
    case TokenKind::kText:
    case TokenKind::kTagBegin:
    case TokenKind::kTagEnd:
    case TokenKind::kPrintBegin:
    case TokenKind::kPrintEnd:
    case TokenKind::kEnd: break;
  }
  tokens_.refuse("expected an expression");
}

ExpressionPointer ExpressionParser::integer() {
  try {
    const int line = tokens_.line();
    const std::optional<std::int64_t> value = parse_integer(tokens_.peek().text, 0);
    if (!value) tokens_.refuse("this is no number");
    tokens_.take();
    return make_constant(line, *value);
  } catch (const TemplateError& error) {
    tokens_.refuse(error.what());
  }
}

ExpressionPointer ExpressionParser::constant_or_name() {
  const Token token = tokens_.take();
  if (token.text == "true" || token.text == "True") return make_constant(token.line, true);
  if (token.text == "false" || token.text == "False") return make_constant(token.line, false);
  if (token.text == "none" || token.text == "None") return make_constant(token.line, nullptr);
  return make_name(token.line, token.text);
}

ExpressionPointer ExpressionParser::string() {
  const int line = tokens_.line();
  std::string text;
  while (tokens_.peek().kind == TokenKind::kString) text += tokens_.take().text;
  return make_constant(line, Value::constant(std::move(text)));
}

ExpressionPointer ExpressionParser::list() {
  const int line = tokens_.take().line;
  std::vector<ExpressionPointer> items;
  while (!tokens_.take_symbol("]")) {
    if (!items.empty()) {
      tokens_.need_symbol(",");
      if (tokens_.take_symbol("]")) break;
    }
    items.push_back(expression());
  }
  return make_list(line, std::move(items), /*is_tuple=*/false);
}

ExpressionPointer ExpressionParser::dict() {
  const int line = tokens_.take().line;
  std::vector<std::pair<ExpressionPointer, ExpressionPointer>> entries;
  while (!tokens_.take_symbol("}")) {
    if (!entries.empty()) {
      tokens_.need_symbol(",");
      if (tokens_.take_symbol("}")) break;
    }
    ExpressionPointer key = expression();
    tokens_.need_symbol(":");
    entries.emplace_back(std::move(key), expression());
  }
  return make_dict(line, std::move(entries));
}

}  // namespace kvmesh::llm::jinja

#include "llm/text/jinja/expression_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace kvmesh::llm::jinja {
namespace {

constexpr int kDeepest = 200;  ///< nested expressions; deeper ones would use up the stack

/// Counts how deep the parser is while it lives.
class Depth {
 public:
  Depth(int& depth, const TokenStream& tokens) : depth_(depth) {
    if (++depth_ > kDeepest) {
      --depth_;
      tokens.refuse("expressions are nested too deeply");
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

ExpressionPointer ExpressionParser::either() {
  ExpressionPointer left = both();
  while (tokens_.peek().is_name("or")) {
    const int line = tokens_.take().line;
    left = make_binary(line, "or", std::move(left), both());
  }
  return left;
}

ExpressionPointer ExpressionParser::both() {
  ExpressionPointer left = negation();
  while (tokens_.peek().is_name("and")) {
    const int line = tokens_.take().line;
    left = make_binary(line, "and", std::move(left), negation());
  }
  return left;
}

ExpressionPointer ExpressionParser::negation() {
  if (!tokens_.peek().is_name("not")) return comparison();
  const Depth depth(depth_, tokens_);
  const int line = tokens_.take().line;
  return make_unary(line, "not", negation());
}

ExpressionPointer ExpressionParser::comparison() {
  static constexpr std::array<std::string_view, 6> kSymbols{"==", "!=", "<", "<=", ">", ">="};
  const int line = tokens_.line();
  ExpressionPointer first = sum();
  std::vector<std::pair<std::string, ExpressionPointer>> rest;
  while (true) {
    const Token& token = tokens_.peek();
    if (token.kind == TokenKind::kSymbol && std::find(kSymbols.begin(), kSymbols.end(), token.text) != kSymbols.end()) {
      std::string symbol = tokens_.take().text;
      rest.emplace_back(std::move(symbol), sum());
    } else if (tokens_.take_name("in")) {
      rest.emplace_back("in", sum());
    } else if (token.is_name("not") && tokens_.peek(1).is_name("in")) {
      tokens_.take();
      tokens_.take();
      rest.emplace_back("not in", sum());
    } else {
      return rest.empty() ? std::move(first) : make_comparison(line, std::move(first), std::move(rest));
    }
  }
}

ExpressionPointer ExpressionParser::sum() {
  ExpressionPointer left = concatenation();
  while (tokens_.peek().is_symbol("+") || tokens_.peek().is_symbol("-")) {
    const Token token = tokens_.take();
    left = make_binary(token.line, token.text, std::move(left), concatenation());
  }
  return left;
}

ExpressionPointer ExpressionParser::concatenation() {
  ExpressionPointer left = product();
  while (tokens_.peek().is_symbol("~")) {
    const int line = tokens_.take().line;
    left = make_binary(line, "~", std::move(left), product());
  }
  return left;
}

ExpressionPointer ExpressionParser::product() {
  static constexpr std::array<std::string_view, 4> kSymbols{"*", "/", "//", "%"};
  ExpressionPointer left = power();
  while (tokens_.peek().kind == TokenKind::kSymbol &&
         std::find(kSymbols.begin(), kSymbols.end(), tokens_.peek().text) != kSymbols.end()) {
    const Token token = tokens_.take();
    left = make_binary(token.line, token.text, std::move(left), power());
  }
  return left;
}

ExpressionPointer ExpressionParser::power() {
  ExpressionPointer left = unary();
  while (tokens_.peek().is_symbol("**")) {
    const int line = tokens_.take().line;
    left = make_binary(line, "**", std::move(left), unary());
  }
  return left;
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
    case TokenKind::kInteger: {
      const std::string& text = tokens_.peek().text;
      std::int64_t value = 0;
      if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
        tokens_.refuse("the number is too large");
      }
      tokens_.take();
      return make_constant(line, value);
    }
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
  return make_constant(line, std::move(text));
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
  static constexpr std::array<std::string_view, 7> kReserved{"else", "or", "and", "if", "in", "is", "not"};
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

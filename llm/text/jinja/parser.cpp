#include "llm/text/jinja/parser.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "llm/text/jinja/expression_parser.hpp"
#include "llm/text/jinja/lexer.hpp"
#include "llm/text/jinja/token_stream.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr int kDeepest = 100;  ///< blocks inside each other; deeper ones would use up the stack

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)), expressions_(tokens_) {}

  Body run() { return body({}); }

 private:
  using Ends = std::initializer_list<std::string_view>;

  /// What stands before one of the tags `ends`; its {% is passed, its name is next. Without ends: the whole template.
  Body body(Ends ends) {
    if (++depth_ > kDeepest) {
      tokens_.refuse(cat("blocks are inside each other more than ", kDeepest, " deep, the most that may be"));
    }
    Body out;
    while (tokens_.peek().kind != TokenKind::kEnd) {
      Token token = tokens_.take();
      if (token.kind == TokenKind::kText) {
        out.push_back(make_text(std::move(token.text)));
      } else if (token.kind == TokenKind::kPrintBegin) {
        out.push_back(make_print(expressions_.tuple()));
        tokens_.need(TokenKind::kPrintEnd);
      } else {
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return tokens_.peek().is_name(end); })) {
          --depth_;
          return out;
        }
        out.push_back(tag());
      }
    }
    if (ends.size() != 0) tokens_.refuse(cat("{% ", *(ends.end() - 1), " %} is missing"));
    --depth_;
    return out;
  }

  void end_tag() { tokens_.need(TokenKind::kTagEnd); }

  /// The body of a block that only its own end tag closes.
  Body whole_body(std::string_view end) {
    end_tag();
    Body out = body({end});
    tokens_.take();
    end_tag();
    return out;
  }

  StatementPointer tag() {
    const Token& token = tokens_.peek();
    if (token.kind != TokenKind::kName) tokens_.refuse("expected the name of a tag");
    if (token.text == "if") return if_tag();
    if (token.text == "for") return for_tag();
    if (token.text == "set") return set_tag();
    if (token.text == "macro") return macro_tag();
    if (token.text == "call") return call_tag();
    if (token.text == "filter") return filter_tag();
    if (token.text == "with") return with_tag();
    if (token.text == "generation") {
      tokens_.take();
      return make_block(whole_body("endgeneration"));
    }
    if (token.text == "break" || token.text == "continue") return jump_tag();
    tokens_.refuse("this tag is not supported");
  }

  StatementPointer jump_tag() {
    if (loops_ == 0) tokens_.refuse("outside of a loop");
    const Flow flow = tokens_.take().text == "break" ? Flow::kBreak : Flow::kContinue;
    end_tag();
    return make_jump(flow);
  }

  StatementPointer if_tag() {
    std::vector<std::pair<ExpressionPointer, Body>> branches;
    while (true) {
      const std::string name = tokens_.take().text;
      ExpressionPointer condition = name == "else" ? nullptr : expressions_.tuple();
      end_tag();
      Body branch = name == "else" ? body({"endif"}) : body({"elif", "else", "endif"});
      branches.emplace_back(std::move(condition), std::move(branch));
      if (tokens_.take_name("endif")) break;
    }
    end_tag();
    return make_if(std::move(branches));
  }

  StatementPointer for_tag() {
    tokens_.take();
    Loop loop;
    loop.target = targets();
    if (!tokens_.take_name("in")) tokens_.refuse("expected \"in\"");
    loop.items = expressions_.tuple(/*with_conditional=*/false);
    if (tokens_.take_name("if")) loop.condition = expressions_.expression();
    loop.recursive = tokens_.take_name("recursive");
    end_tag();
    ++loops_;
    loop.body = body({"else", "endfor"});
    --loops_;
    if (tokens_.take_name("else")) {
      end_tag();
      loop.otherwise = body({"endfor"});
    }
    tokens_.take();
    end_tag();
    return make_for(std::move(loop));
  }

  /// A target in brackets, or a name; `inside`: how many brackets are around it.
  Target target(int inside = 0) {
    if (tokens_.take_symbol("(")) {
      if (inside == kDeepest) tokens_.refuse("the names of a target are inside each other too deep");
      Target inner = targets(inside + 1);
      tokens_.need_symbol(")");
      return inner;
    }
    Target out;
    const int line = tokens_.line();
    const std::string name = tokens_.need_name();
    static constexpr std::array<std::string_view, 6> kConstants{"true", "false", "none", "True", "False", "None"};
    if (std::find(kConstants.begin(), kConstants.end(), name) != kConstants.end()) {
      fail_input("line ", line, ": \"", name, "\" cannot be set");
    }
    out.name = Value::constant(name);
    if (tokens_.take_symbol(".")) out.attribute = tokens_.need_name();
    return out;
  }

  Target targets(int inside = 0) {
    Target first = target(inside);
    if (!tokens_.peek().is_symbol(",")) return first;
    Target several;
    several.parts.push_back(std::move(first));
    while (tokens_.take_symbol(",")) {
      if (tokens_.peek().is_name("in") || tokens_.peek().is_symbol(")")) break;
      several.parts.push_back(target(inside));
    }
    return several;
  }

  StatementPointer set_tag() {
    const int line = tokens_.take().line;
    Target to = targets();
    if (tokens_.take_symbol("=")) {
      ExpressionPointer value = expressions_.tuple();
      end_tag();
      return make_set(line, std::move(to), std::move(value));
    }
    ExpressionPointer value = expressions_.filters(make_name(line, kBlockText));
    Body text = whole_body("endset");
    return make_set_block(line, std::move(to), std::move(text), std::move(value));
  }

  StatementPointer filter_tag() {
    const int line = tokens_.take().line;
    ExpressionPointer value = expressions_.filters(expressions_.filter(make_name(line, kBlockText)));
    Body text = whole_body("endfilter");
    return make_filter_block(std::move(text), std::move(value));
  }

  StatementPointer with_tag() {
    tokens_.take();
    std::vector<std::pair<Target, ExpressionPointer>> values;
    while (tokens_.peek().kind != TokenKind::kTagEnd) {
      if (!values.empty()) tokens_.need_symbol(",");
      Target to = target();
      tokens_.need_symbol("=");
      values.emplace_back(std::move(to), expressions_.expression());
    }
    Body inner = whole_body("endwith");
    return make_with(std::move(values), std::move(inner));
  }

  std::vector<Parameter> parameters() {
    std::vector<Parameter> out;
    tokens_.need_symbol("(");
    while (!tokens_.take_symbol(")")) {
      if (!out.empty()) tokens_.need_symbol(",");
      Parameter parameter;
      parameter.name = Value::constant(tokens_.need_name());
      if (tokens_.take_symbol("=")) {
        parameter.missing = expressions_.expression();
      } else if (!out.empty() && out.back().missing) {
        tokens_.refuse("a parameter without a default follows one with a default");
      }
      out.push_back(std::move(parameter));
    }
    return out;
  }

  /// A body of its own: a loop around it cannot be left from inside.
  void read_body(MacroNode& macro, std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    const std::size_t begin = tokens_.position();
    macro.body = whole_body(end);
    macro.uses_varargs = tokens_.has_name_since(begin, "varargs");
    macro.uses_kwargs = tokens_.has_name_since(begin, "kwargs");
    macro.uses_caller = tokens_.has_name_since(begin, "caller");
    loops_ = loops;
  }

  StatementPointer macro_tag() {
    MacroNode macro;
    macro.line = tokens_.take().line;
    macro.name = Value::constant(tokens_.need_name());
    macro.parameters = parameters();
    read_body(macro, "endmacro");
    return make_macro(std::move(macro));
  }

  StatementPointer call_tag() {
    MacroNode macro;
    macro.line = tokens_.take().line;
    macro.name = Value::constant("caller");
    if (tokens_.peek().is_symbol("(")) macro.parameters = parameters();
    auto [function, arguments] = expressions_.call();
    read_body(macro, "endcall");
    return make_call_block(std::move(macro), std::move(function), std::move(arguments));
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace

Body parse(std::string_view source) { return Parser(source).run(); }

}  // namespace kvmesh::llm::jinja

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {

/// A node of a parsed template that has a value. Immutable.
class Expression {
 public:
  explicit Expression(int line) : line_(line) {}
  virtual ~Expression() = default;

  Value evaluate(Context& context) const {
    context.at_line(line_);
    return compute(context);
  }
  int line() const { return line_; }

 protected:
  virtual Value compute(Context& context) const = 0;

 private:
  int line_;
};
using ExpressionPointer = std::unique_ptr<const Expression>;

/// The arguments of a call as they are written.
struct CallArguments {
  std::vector<ExpressionPointer> positional;
  std::vector<std::pair<std::string, ExpressionPointer>> keyword;
  ExpressionPointer star;         ///< *list, after the positional ones; may be null
  ExpressionPointer double_star;  ///< **mapping, after the named ones; may be null

  Arguments evaluate(Context& context) const;
};

ExpressionPointer make_constant(int line, Value value);
ExpressionPointer make_name(int line, std::string name);
ExpressionPointer make_list(int line, std::vector<ExpressionPointer> items, bool is_tuple);
ExpressionPointer make_dict(int line, std::vector<std::pair<ExpressionPointer, ExpressionPointer>> entries);
ExpressionPointer make_unary(int line, std::string symbol, ExpressionPointer operand);  ///< - + not
/// + - * / // % ** ~ and or
ExpressionPointer make_binary(int line, std::string symbol, ExpressionPointer left, ExpressionPointer right);
/// `first` compared with each of the rest in turn: == != < <= > >= in, not in
ExpressionPointer make_comparison(int line, ExpressionPointer first,
                                  std::vector<std::pair<std::string, ExpressionPointer>> rest);
/// `otherwise` may be null.
ExpressionPointer make_conditional(int line, ExpressionPointer condition, ExpressionPointer value,
                                   ExpressionPointer otherwise);
ExpressionPointer make_attribute(int line, ExpressionPointer object, std::string name);
ExpressionPointer make_subscript(int line, ExpressionPointer object, ExpressionPointer key);
/// Any of the bounds may be null.
ExpressionPointer make_slice(int line, ExpressionPointer object, ExpressionPointer start, ExpressionPointer stop,
                             ExpressionPointer step);
ExpressionPointer make_call(int line, ExpressionPointer function, CallArguments arguments);

ExpressionPointer make_filter(int line, ExpressionPointer input, std::string name, CallArguments arguments);
ExpressionPointer make_test(int line, ExpressionPointer input, std::string name, CallArguments arguments, bool negated);

}  // namespace kvmesh::llm::jinja

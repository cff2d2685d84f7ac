#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {

/// A node of a parsed template that has a value. Immutable. Nodes are at most kDeepest deep inside each other, so that
/// no walk over them, their end included, uses up the stack.
class Expression {
 public:
  static constexpr int kDeepest = 200;

  /// `depth`: of the nodes in this one, with it. Throws Error{kFixInput} that names the line where it is too large.
  Expression(int line, int depth);
  virtual ~Expression() = default;

  Value evaluate(Context& context) const {
    context.at_line(line_);
    const Deeper deeper(context);
    return compute(context);
  }
  int line() const { return line_; }
  int depth() const { return depth_; }

 protected:
  virtual Value compute(Context& context) const = 0;

 private:
  int line_;
  int depth_;
};
using ExpressionPointer = std::unique_ptr<const Expression>;

/// The arguments of a call as they are written.
struct CallArguments {
  std::vector<ExpressionPointer> positional;
  std::vector<std::pair<std::string, ExpressionPointer>> keyword;
  ExpressionPointer star;         ///< *list, after the positional ones; may be null
  ExpressionPointer double_star;  ///< **mapping, after the named ones; may be null

  Arguments evaluate(Context& context) const;
  int depth() const;
};

/// A part of a chain of operators that bind alike, as in a + b - c.
struct Link {
  int line = 0;
  std::string symbol;
  ExpressionPointer operand;
};

ExpressionPointer make_constant(int line, Value value);
ExpressionPointer make_name(int line, std::string name);
ExpressionPointer make_list(int line, std::vector<ExpressionPointer> items, bool is_tuple);
ExpressionPointer make_dict(int line, std::vector<std::pair<ExpressionPointer, ExpressionPointer>> entries);
ExpressionPointer make_unary(int line, std::string symbol, ExpressionPointer operand);  ///< - + not
/// `first` with each of the rest in turn, from the left: + - * / // % ** ~. Chains may be long, so they are no tree.
ExpressionPointer make_calculation(ExpressionPointer first, std::vector<Link> rest);
/// The first that decides: `and`, or `or`.
ExpressionPointer make_choice(std::string symbol, std::vector<ExpressionPointer> parts);
/// Each compared with the one after it: == != < <= > >= in, not in
ExpressionPointer make_comparison(ExpressionPointer first, std::vector<Link> rest);
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

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "llm/text/jinja/expression.hpp"

namespace kvmesh::llm::jinja {

/// How a statement ended: break and continue unwind to the loop around.
enum class Flow { kNext, kBreak, kContinue };

/// A node of a parsed template that writes text or sets names. Immutable.
class Statement {
 public:
  virtual ~Statement() = default;
  Flow run(Context& context, TextBuilder& out) const {
    const Deeper deeper(context);
    return execute(context, out);
  }

 protected:
  virtual Flow execute(Context& context, TextBuilder& out) const = 0;
};
using StatementPointer = std::unique_ptr<const Statement>;
using Body = std::vector<StatementPointer>;

Flow run_body(const Body& body, Context& context, TextBuilder& out);

/// A statement that a function runs; the function owns the parts.
template <typename Run>
StatementPointer make_statement(Run run) {
  class FunctionStatement final : public Statement {
   public:
    explicit FunctionStatement(Run function) : run_(std::move(function)) {}

   private:
    Flow execute(Context& context, TextBuilder& out) const override { return run_(context, out); }

    Run run_;
  };
  return std::make_unique<FunctionStatement>(std::move(run));
}

/// What a value is given to: a name, an attribute of a namespace, or several of these.
struct Target {
  Value name;                 ///< a string
  std::string attribute;      ///< empty: the name itself
  std::vector<Target> parts;  ///< not empty: the value is taken apart
};
void assign(Context& context, const Target& target, const Value& value);

struct Parameter {
  Value name;                 ///< a string
  ExpressionPointer missing;  ///< null: undefined
};

StatementPointer make_text(std::string text);
StatementPointer make_print(ExpressionPointer value);
StatementPointer make_jump(Flow flow);
StatementPointer make_block(Body body);  ///< {% generation %}: as if it were not there

/// Each branch with its condition; the last may have none (else).
StatementPointer make_if(std::vector<std::pair<ExpressionPointer, Body>> branches);

struct Loop {
  Target target;
  ExpressionPointer items;
  ExpressionPointer condition;  ///< null: all items
  bool recursive = false;       ///< `loop(items)` runs it again, one level deeper
  Body body;
  Body otherwise;
};
StatementPointer make_for(Loop loop);

StatementPointer make_set(int line, Target target, ExpressionPointer value);
/// {% set x %}…{% endset %}; `value` reads the text under the name kBlockText.
StatementPointer make_set_block(int line, Target target, Body body, ExpressionPointer value);
/// {% filter f %}…{% endfilter %}
StatementPointer make_filter_block(Body body, ExpressionPointer value);
inline constexpr const char* kBlockText = " text of the block";  ///< no name of a template has spaces

/// {% with a = 1 %}…{% endwith %}
StatementPointer make_with(std::vector<std::pair<Target, ExpressionPointer>> values, Body body);

struct MacroNode {
  int line = 0;
  Value name;  ///< a string
  std::vector<Parameter> parameters;
  Body body;
  // What the body names, and so may be given.
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
};
StatementPointer make_macro(MacroNode macro);
/// {% call(parameters) f() %}…{% endcall %}: `macro` is what f finds as caller.
StatementPointer make_call_block(MacroNode macro, ExpressionPointer function, CallArguments arguments);

}  // namespace kvmesh::llm::jinja

#include "agents/llm/jinja/statement.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace kvmesh::llm::jinja {
namespace {

template <typename Run>
class FunctionStatement final : public Statement {
 public:
  explicit FunctionStatement(Run run) : run_(std::move(run)) {}
  Flow run(Context& context, std::string& out) const override { return run_(context, out); }

 private:
  Run run_;
};

template <typename Run>
StatementPointer statement(Run run) {
  return std::make_unique<FunctionStatement<Run>>(std::move(run));
}

/// A scope for as long as a block runs, left whatever happens in it.
class InnerScope {
 public:
  InnerScope(Context& context, Scope* around) : context_(context), before_(context.scope()) { context.enter(around); }
  ~InnerScope() { context_.leave_to(before_); }
  InnerScope(const InnerScope&) = delete;
  InnerScope& operator=(const InnerScope&) = delete;

 private:
  Context& context_;
  Scope* before_;
};

void assign(Context& context, const Target& target, const Value& value) {
  if (!target.parts.empty()) {
    const std::vector<Value> items = value.items();
    if (items.size() != target.parts.size()) {
      throw TemplateError(cat("cannot take ", items.size(), " values apart into ", target.parts.size(), " names"));
    }
    for (std::size_t index = 0; index < items.size(); ++index) assign(context, target.parts[index], items[index]);
  } else if (target.attribute.empty()) {
    context.set(target.name, value);
  } else {
    const Value object = context.find(target.name);
    if (!object.is_namespace()) {
      throw TemplateError(cat("'", target.name, ".", target.attribute, "' cannot be set: ", object.kind(),
                              " is not a namespace"));
    }
    object.names().attributes.set(target.attribute, value);
  }
}

/// The items of a loop that its condition lets through.
std::vector<Value> chosen_items(const Loop& loop, Context& context) {
  const Value source = loop.items->evaluate(context);
  std::vector<Value> items = source.items();
  if (!loop.condition) return items;
  std::vector<Value> chosen;
  for (Value& item : items) {
    const InnerScope scope(context, context.scope());
    assign(context, loop.target, item);
    if (loop.condition->evaluate(context).truthy()) chosen.push_back(std::move(item));
  }
  return chosen;
}

Function cycle_of(std::size_t index) {
  return {"loop.cycle", [index](Context&, const Arguments& arguments) {
            if (arguments.positional.empty()) throw TemplateError("loop.cycle needs values");
            return arguments.positional[index % arguments.positional.size()];
          }};
}

Function changed_of(std::shared_ptr<Value> last) {
  return {"loop.changed", [last = std::move(last)](Context&, const Arguments& arguments) {
            Value now = Value::tuple(arguments.positional);
            const bool changed = !(now == *last);
            *last = std::move(now);
            return Value(changed);
          }};
}

/// The variable `loop` of one turn.
Value loop_variable(Context& context, const std::vector<Value>& items, std::size_t index, std::int64_t depth,
                    const std::shared_ptr<Value>& changed) {
  const auto names = context.make_namespace();
  const auto at = static_cast<std::int64_t>(index);
  const auto count = static_cast<std::int64_t>(items.size());
  const auto set = [&](const char* name, Value value) {
    names->attributes.entries.emplace_back(Value(name), std::move(value));
  };
  set("index", at + 1);
  set("index0", at);
  set("revindex", count - at);
  set("revindex0", count - at - 1);
  set("first", at == 0);
  set("last", at + 1 == count);
  set("length", count);
  set("depth", depth);
  set("depth0", depth - 1);
  set("previtem", index > 0 ? items[index - 1] : Value(Undefined{"loop.previtem"}));
  set("nextitem", index + 1 < items.size() ? items[index + 1] : Value(Undefined{"loop.nextitem"}));
  set("cycle", cycle_of(index));
  set("changed", changed_of(changed));
  return names;
}

Flow run_loop(const Loop& loop, Context& context, std::string& out) {
  const std::vector<Value> items = chosen_items(loop, context);
  if (items.empty()) {
    const InnerScope scope(context, context.scope());
    return run_body(loop.otherwise, context, out);
  }
  const auto changed = std::make_shared<Value>();
  for (std::size_t index = 0; index < items.size(); ++index) {
    const InnerScope scope(context, context.scope());
    assign(context, loop.target, items[index]);
    context.set("loop", loop_variable(context, items, index, /*depth=*/1, changed));
    if (run_body(loop.body, context, out) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

/// Gives the parameters their values in the current scope; what is left over becomes varargs and kwargs.
void bind_parameters(const Macro& macro, Context& context, const Arguments& arguments) {
  std::vector<Value> surplus;
  for (std::size_t index = macro.parameters.size(); index < arguments.positional.size(); ++index) {
    surplus.push_back(arguments.positional[index]);
  }
  auto unknown = std::make_shared<Dict>();
  for (std::size_t index = 0; index < macro.parameters.size(); ++index) {
    const Parameter& parameter = macro.parameters[index];
    if (index < arguments.positional.size()) {
      context.set(parameter.name, arguments.positional[index]);
    } else {
      context.set(parameter.name,
                  parameter.missing ? parameter.missing->evaluate(context) : Value(Undefined{parameter.name}));
    }
  }
  for (const auto& [name, value] : arguments.keyword) {
    const bool known = std::any_of(macro.parameters.begin(), macro.parameters.end(),
                                   [&, key = name](const Parameter& parameter) { return parameter.name == key; });
    if (known || name == "caller") {
      context.set(name, value);
    } else {
      unknown->set(name, value);
    }
  }
  context.set("varargs", Value::tuple(std::move(surplus)));
  context.set("kwargs", std::move(unknown));
}

/// The macro as a function that sees the scope it was defined in. The statement that owns `macro` outlives rendering.
Value function_of(const Macro& macro, Context& defining) {
  return Function{macro.name, [&macro, home = defining.scope()](Context& context, const Arguments& arguments) {
                    context.enter_call();
                    const InnerScope scope(context, home);
                    bind_parameters(macro, context, arguments);
                    std::string text;
                    run_body(macro.body, context, text);
                    context.leave_call();
                    return Value(std::move(text));
                  }};
}

/// The value of an expression that reads the text of a block.
Value value_of_block(const Body& body, const ExpressionPointer& value, Context& context) {
  const InnerScope scope(context, context.scope());
  std::string text;
  run_body(body, context, text);
  context.set(kBlockText, std::move(text));
  return value->evaluate(context);
}

}  // namespace

Flow run_body(const Body& body, Context& context, std::string& out) {
  for (const StatementPointer& part : body) {
    const Flow flow = part->run(context, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

StatementPointer make_text(std::string text) {
  return statement([text = std::move(text)](Context&, std::string& out) {
    out += text;
    return Flow::kNext;
  });
}

StatementPointer make_print(ExpressionPointer value) {
  return statement([value = std::move(value)](Context& context, std::string& out) {
    out += value->evaluate(context).str();
    return Flow::kNext;
  });
}

StatementPointer make_jump(Flow flow) {
  return statement([flow](Context&, std::string&) { return flow; });
}

StatementPointer make_block(Body body) {
  return statement(
      [body = std::move(body)](Context& context, std::string& out) { return run_body(body, context, out); });
}

StatementPointer make_if(std::vector<std::pair<ExpressionPointer, Body>> branches) {
  return statement([branches = std::move(branches)](Context& context, std::string& out) {
    for (const auto& [condition, body] : branches) {
      if (!condition || condition->evaluate(context).truthy()) return run_body(body, context, out);
    }
    return Flow::kNext;
  });
}

StatementPointer make_for(Loop loop) {
  return statement(
      [loop = std::move(loop)](Context& context, std::string& out) { return run_loop(loop, context, out); });
}

StatementPointer make_set(int line, Target target, ExpressionPointer value) {
  return statement([line, target = std::move(target), value = std::move(value)](Context& context, std::string&) {
    const Value result = value->evaluate(context);
    context.at_line(line);
    assign(context, target, result);
    return Flow::kNext;
  });
}

StatementPointer make_set_block(int line, Target target, Body body, ExpressionPointer value) {
  return statement([line, target = std::move(target), body = std::move(body),
                    value = std::move(value)](Context& context, std::string&) {
    const Value result = value_of_block(body, value, context);
    context.at_line(line);
    assign(context, target, result);
    return Flow::kNext;
  });
}

StatementPointer make_filter_block(Body body, ExpressionPointer value) {
  return statement([body = std::move(body), value = std::move(value)](Context& context, std::string& out) {
    out += value_of_block(body, value, context).str();
    return Flow::kNext;
  });
}

StatementPointer make_with(std::vector<std::pair<Target, ExpressionPointer>> values, Body body) {
  return statement([values = std::move(values), body = std::move(body)](Context& context, std::string& out) {
    std::vector<Value> results;
    for (const auto& entry : values) results.push_back(entry.second->evaluate(context));
    const InnerScope scope(context, context.scope());
    for (std::size_t index = 0; index < values.size(); ++index) assign(context, values[index].first, results[index]);
    return run_body(body, context, out);
  });
}

StatementPointer make_macro(Macro macro) {
  return statement([macro = std::move(macro)](Context& context, std::string&) {
    context.set(macro.name, function_of(macro, context));
    return Flow::kNext;
  });
}

StatementPointer make_call_block(Macro macro, ExpressionPointer function, CallArguments arguments) {
  return statement([macro = std::move(macro), function = std::move(function),
                    arguments = std::move(arguments)](Context& context, std::string& out) {
    const Value callee = function->evaluate(context);
    Arguments values = arguments.evaluate(context);
    values.keyword.emplace_back("caller", function_of(macro, context));
    context.at_line(macro.line);
    if (!callee.is_function()) throw TemplateError(cat("{% call %} needs a macro, found ", callee.kind()));
    out += callee.function().call(context, values).str();
    return Flow::kNext;
  });
}

}  // namespace kvmesh::llm::jinja

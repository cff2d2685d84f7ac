#include "llm/text/jinja/statement.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"

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
      throw TemplateError(
          cat("'", target.name, ".", target.attribute, "' cannot be set: ", object.kind(), " is not a namespace"));
    }
    object.names().attributes.set(target.attribute, value);
  }
}

/// The items of a loop that its condition lets through.
std::vector<Value> chosen_items(const Loop& loop, const Value& source, Context& context) {
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
std::shared_ptr<Namespace> loop_variable(Context& context, const std::vector<Value>& items, std::size_t index,
                                         std::int64_t depth, const std::shared_ptr<Value>& changed) {
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

Flow run_loop(const Loop& loop, const Value& source, std::int64_t depth, Context& context, std::string& out);

/// `loop` as a function: the loop over other items, seeing what the loop itself saw. The statement outlives rendering.
std::shared_ptr<const Function> loop_again(const Loop& loop, Scope* around, std::int64_t depth) {
  return std::make_shared<const Function>(
      Function{"loop", [&loop, around, depth](Context& context, const Arguments& arguments) {
                 const Value items = Bound("loop", arguments, {"items"}).need("items");
                 context.enter_call();
                 const InnerScope scope(context, around);
                 std::string text;
                 run_loop(loop, items, depth + 1, context, text);
                 context.leave_call();
                 return Value(std::move(text));
               }});
}

Flow run_loop(const Loop& loop, const Value& source, std::int64_t depth, Context& context, std::string& out) {
  const std::vector<Value> items = chosen_items(loop, source, context);
  Scope* around = context.scope();
  if (items.empty()) {
    const InnerScope scope(context, around);
    return run_body(loop.otherwise, context, out);
  }
  const auto changed = std::make_shared<Value>();
  for (std::size_t index = 0; index < items.size(); ++index) {
    const InnerScope scope(context, around);
    assign(context, loop.target, items[index]);
    const auto variable = loop_variable(context, items, index, depth, changed);
    if (loop.recursive) variable->call = loop_again(loop, around, depth);
    context.set("loop", variable);
    if (run_body(loop.body, context, out) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

bool has_parameter(const Macro& macro, const std::string& name) {
  return std::any_of(macro.parameters.begin(), macro.parameters.end(),
                     [&](const Parameter& parameter) { return parameter.name == name; });
}

/// What was given by that name; null: nothing.
const Value* find_keyword(const Arguments& arguments, const std::string& name) {
  const auto found = std::find_if(arguments.keyword.begin(), arguments.keyword.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == arguments.keyword.end() ? nullptr : &found->second;
}

/// What no parameter takes becomes varargs, kwargs and caller, if the macro's body names them.
void bind_surplus(const Macro& macro, Context& context, const Arguments& arguments) {
  const std::size_t taken = std::min(arguments.positional.size(), macro.parameters.size());
  if (arguments.positional.size() > taken && !macro.uses_varargs) {
    throw TemplateError(cat("the macro '", macro.name, "' takes at most ", macro.parameters.size(),
                            " arguments, found ", arguments.positional.size()));
  }
  const auto surplus = arguments.positional.begin() + static_cast<std::ptrdiff_t>(taken);
  context.set("varargs", Value::tuple({surplus, arguments.positional.end()}));
  auto unknown = std::make_shared<Dict>();
  for (const auto& [name, value] : arguments.keyword) {
    if (has_parameter(macro, name)) continue;
    if (name == "caller" && macro.uses_caller) {
      context.set(name, value);
    } else if (name != "caller" && macro.uses_kwargs) {
      unknown->set(name, value);
    } else {
      throw TemplateError(cat("the macro '", macro.name, "' has no argument '", name, "'"));
    }
  }
  context.set("kwargs", std::move(unknown));
}

/// Gives the parameters their values in the current scope.
void bind_parameters(const Macro& macro, Context& context, const Arguments& arguments) {
  bind_surplus(macro, context, arguments);
  for (std::size_t index = 0; index < macro.parameters.size(); ++index) {
    const Parameter& parameter = macro.parameters[index];
    const Value* named = find_keyword(arguments, parameter.name);
    if (index < arguments.positional.size()) {
      if (named != nullptr)
        throw TemplateError(cat("the macro '", macro.name, "' is given '", parameter.name, "' twice"));
      context.set(parameter.name, arguments.positional[index]);
    } else if (named != nullptr) {
      context.set(parameter.name, *named);
    } else {
      context.set(parameter.name,
                  parameter.missing ? parameter.missing->evaluate(context) : Value(Undefined{parameter.name}));
    }
  }
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
  return statement([loop = std::move(loop)](Context& context, std::string& out) {
    return run_loop(loop, loop.items->evaluate(context), /*depth=*/1, context, out);
  });
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

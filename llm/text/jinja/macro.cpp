#include <algorithm>

#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/statement.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// What was given by that name; null: nothing.
const Value* find_keyword(const Arguments& arguments, const std::string& name) {
  const auto found = std::find_if(arguments.keyword.begin(), arguments.keyword.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == arguments.keyword.end() ? nullptr : &found->second;
}

/// A macro as a value, which sees the scope it was defined in. The statement that owns `node` outlives rendering.
class Macro final : public Object {
 public:
  Macro(Context& context, const MacroNode& node)
      : Object(context.budget(), context.graveyard()), node_(node), home_(context.scope()) {}

  std::string kind() const override { return cat("Macro '", node_.name.string(), "'"); }
  bool is_callable() const override { return true; }

  Value attribute(Context& context, std::string_view name) override {
    if (name == "name") return node_.name;
    if (name == "catch_kwargs") return node_.uses_kwargs;
    if (name == "catch_varargs") return node_.uses_varargs;
    if (name == "caller") return node_.uses_caller;
    if (name != "arguments") return Undefined(name);
    std::vector<Value> listed;
    for (const Parameter& parameter : node_.parameters) listed.push_back(parameter.name);
    return Value::tuple(context.budget(), std::move(listed));
  }

  Value call(Context& context, const Arguments& arguments) override {
    const InnerScope scope(context, home_);
    bind_parameters(context, arguments);
    TextBuilder text(context.budget());
    run_body(node_.body, context, text);
    return text.take_value();
  }

 private:
  bool has_parameter(const std::string& name) const {
    return std::any_of(node_.parameters.begin(), node_.parameters.end(),
                       [&](const Parameter& parameter) { return parameter.name.string() == name; });
  }

  /// Gives the parameters their values in the current scope.
  void bind_parameters(Context& context, const Arguments& arguments) const {
    bind_surplus(context, arguments);
    for (std::size_t index = 0; index < node_.parameters.size(); ++index) {
      const Parameter& parameter = node_.parameters[index];
      const std::string& name = parameter.name.string();
      const Value* named = find_keyword(arguments, name);
      if (index < arguments.positional.size()) {
        if (named != nullptr) refuse("the macro '", node_.name.string(), "' is given '", name, "' twice");
        context.set(parameter.name, arguments.positional[index]);
      } else if (named != nullptr) {
        context.set(parameter.name, *named);
      } else {
        context.set(parameter.name, parameter.missing ? parameter.missing->evaluate(context) : Undefined(name));
      }
    }
  }

  /// What no parameter takes becomes varargs, kwargs and caller, if the macro's body names them.
  void bind_surplus(Context& context, const Arguments& arguments) const {
    const std::string& macro = node_.name.string();
    const std::size_t taken = std::min(arguments.positional.size(), node_.parameters.size());
    if (arguments.positional.size() > taken && !node_.uses_varargs) {
      refuse("the macro '", macro, "' takes at most ", node_.parameters.size(), " arguments, found ",
             arguments.positional.size());
    }
    if (node_.uses_varargs) {
      const auto surplus = arguments.positional.begin() + static_cast<std::ptrdiff_t>(taken);
      context.define("varargs", Value::tuple(context.budget(), {surplus, arguments.positional.end()}));
    }
    Value caller = Undefined("caller");
    Dict unknown;
    for (const auto& [name, value] : arguments.keyword) {
      if (has_parameter(name)) continue;
      if (name == "caller" && node_.uses_caller) {
        caller = value;
      } else if (name != "caller" && node_.uses_kwargs) {
        unknown.set(context.budget(), Value(context.budget(), name), value);
      } else {
        refuse("the macro '", macro, "' has no argument '", name, "'");
      }
    }
    if (node_.uses_kwargs) context.define("kwargs", Value(context.budget(), std::move(unknown)));
    if (node_.uses_caller && !has_parameter("caller")) context.define("caller", std::move(caller));
  }

  const MacroNode& node_;
  std::shared_ptr<Scope> home_;
};

Value value_of(const MacroNode& node, Context& context) {
  return Value(std::shared_ptr<Object>(std::make_shared<Macro>(context, node)));
}

}  // namespace

StatementPointer make_macro(MacroNode macro) {
  return make_statement([macro = std::move(macro)](Context& context, TextBuilder&) {
    context.set(macro.name, value_of(macro, context));
    return Flow::kNext;
  });
}

StatementPointer make_call_block(MacroNode macro, ExpressionPointer function, CallArguments arguments) {
  return make_statement([macro = std::move(macro), function = std::move(function),
                         arguments = std::move(arguments)](Context& context, TextBuilder& out) {
    const Value callee = function->evaluate(context);
    Arguments values = arguments.evaluate(context);
    values.keyword.emplace_back("caller", value_of(macro, context));
    context.at_line(macro.line);
    print(out, call(context, callee, values));
    return Flow::kNext;
  });
}

}  // namespace kvmesh::llm::jinja

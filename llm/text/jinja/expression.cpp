#include "llm/text/jinja/expression.hpp"

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/operators.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// An expression whose value a function computes; the function owns the parts.
template <typename Compute>
class FunctionExpression final : public Expression {
 public:
  FunctionExpression(int line, Compute compute) : Expression(line), compute_(std::move(compute)) {}

 private:
  Value compute(Context& context) const override { return compute_(context); }

  Compute compute_;
};

template <typename Compute>
ExpressionPointer expression(int line, Compute compute) {
  return std::make_unique<FunctionExpression<Compute>>(line, std::move(compute));
}

Value value_or_none(const ExpressionPointer& part, Context& context) {
  return part ? part->evaluate(context) : Value(nullptr);
}

}  // namespace

Arguments CallArguments::evaluate(Context& context) const {
  Arguments arguments;
  for (const auto& argument : positional) arguments.positional.push_back(argument->evaluate(context));
  if (star) {
    for (Value& item : star->evaluate(context).items()) arguments.positional.push_back(std::move(item));
  }
  for (const auto& [name, argument] : keyword) arguments.keyword.emplace_back(name, argument->evaluate(context));
  if (double_star) {
    const Value names = double_star->evaluate(context);
    if (!names.is_dict()) throw TemplateError(cat("'**' wants a mapping, found ", names.kind()));
    for (const auto& [name, value] : names.dict().entries) arguments.keyword.emplace_back(name.str(), value);
  }
  return arguments;
}

ExpressionPointer make_constant(int line, Value value) {
  return expression(line, [value = std::move(value)](Context&) { return value; });
}

ExpressionPointer make_name(int line, std::string name) {
  return expression(line, [name = std::move(name)](Context& context) { return context.find(name); });
}

ExpressionPointer make_list(int line, std::vector<ExpressionPointer> items, bool is_tuple) {
  return expression(line, [items = std::move(items), is_tuple](Context& context) {
    std::vector<Value> values;
    for (const auto& item : items) values.push_back(item->evaluate(context));
    return is_tuple ? Value::tuple(std::move(values)) : Value::list(std::move(values));
  });
}

ExpressionPointer make_dict(int line, std::vector<std::pair<ExpressionPointer, ExpressionPointer>> entries) {
  return expression(line, [entries = std::move(entries)](Context& context) {
    auto dict = std::make_shared<Dict>();
    for (const auto& [key, value] : entries) {
      Value name = key->evaluate(context);
      dict->set(std::move(name), value->evaluate(context));
    }
    return Value(std::move(dict));
  });
}

ExpressionPointer make_unary(int line, std::string symbol, ExpressionPointer operand) {
  return expression(line, [symbol = std::move(symbol), operand = std::move(operand)](Context& context) {
    const Value value = operand->evaluate(context);
    return symbol == "not" ? Value(!value.truthy()) : signed_number(symbol, value);
  });
}

ExpressionPointer make_binary(int line, std::string symbol, ExpressionPointer left, ExpressionPointer right) {
  return expression(line, [line, symbol = std::move(symbol), left = std::move(left),
                           right = std::move(right)](Context& context) {
    Value first = left->evaluate(context);
    if (symbol == "and") return first.truthy() ? right->evaluate(context) : first;
    if (symbol == "or") return first.truthy() ? first : right->evaluate(context);
    const Value second = right->evaluate(context);
    context.at_line(line);
    return calculate(symbol, first, second);
  });
}

ExpressionPointer make_comparison(int line, ExpressionPointer first,
                                  std::vector<std::pair<std::string, ExpressionPointer>> rest) {
  return expression(line, [line, first = std::move(first), rest = std::move(rest)](Context& context) {
    Value left = first->evaluate(context);
    for (const auto& [symbol, operand] : rest) {
      Value right = operand->evaluate(context);
      context.at_line(line);
      if (!compare(symbol, left, right)) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  });
}

ExpressionPointer make_conditional(int line, ExpressionPointer condition, ExpressionPointer value,
                                   ExpressionPointer otherwise) {
  return expression(line, [condition = std::move(condition), value = std::move(value),
                           otherwise = std::move(otherwise)](Context& context) {
    if (condition->evaluate(context).truthy()) return value->evaluate(context);
    return otherwise ? otherwise->evaluate(context) : Value(Undefined{"the missing else of an inline if"});
  });
}

ExpressionPointer make_attribute(int line, ExpressionPointer object, std::string name) {
  return expression(line, [line, object = std::move(object), name = std::move(name)](Context& context) {
    const Value value = object->evaluate(context);
    context.at_line(line);
    return attribute(value, name);
  });
}

ExpressionPointer make_subscript(int line, ExpressionPointer object, ExpressionPointer key) {
  return expression(line, [line, object = std::move(object), key = std::move(key)](Context& context) {
    const Value value = object->evaluate(context);
    const Value index = key->evaluate(context);
    context.at_line(line);
    return subscript(value, index);
  });
}

ExpressionPointer make_slice(int line, ExpressionPointer object, ExpressionPointer start, ExpressionPointer stop,
                             ExpressionPointer step) {
  return expression(line, [object = std::move(object), start = std::move(start), stop = std::move(stop),
                           step = std::move(step)](Context& context) {
    const Value value = object->evaluate(context);
    const Value from = value_or_none(start, context);
    const Value to = value_or_none(stop, context);
    return slice(value, from, to, value_or_none(step, context));
  });
}

ExpressionPointer make_call(int line, ExpressionPointer function, CallArguments arguments) {
  return expression(line, [line, function = std::move(function), arguments = std::move(arguments)](Context& context) {
    const Value callee = function->evaluate(context);
    const Arguments values = arguments.evaluate(context);
    context.at_line(line);
    if (callee.is_undefined()) throw TemplateError(cat("the function '", callee.undefined().name, "' is not known"));
    if (callee.is_namespace() && callee.names().call) return callee.names().call->call(context, values);
    if (!callee.is_function()) throw TemplateError(cat(callee.kind(), " cannot be called"));
    return callee.function().call(context, values);
  });
}

ExpressionPointer make_filter(int line, ExpressionPointer input, std::string name, CallArguments arguments) {
  return expression(line, [line, input = std::move(input), name = std::move(name),
                           arguments = std::move(arguments)](Context& context) {
    const Value value = input->evaluate(context);
    const Arguments values = arguments.evaluate(context);
    context.at_line(line);
    return apply_filter(context, name, value, values);
  });
}

ExpressionPointer make_test(int line, ExpressionPointer input, std::string name, CallArguments arguments,
                            bool negated) {
  return expression(line, [line, input = std::move(input), name = std::move(name), arguments = std::move(arguments),
                           negated](Context& context) {
    const Value value = input->evaluate(context);
    const Arguments values = arguments.evaluate(context);
    context.at_line(line);
    return Value(apply_test(context, name, value, values) != negated);
  });
}

}  // namespace kvmesh::llm::jinja

#include "llm/text/jinja/expression.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/operators.hpp"
#include "llm/text/jinja/print.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// An expression whose value a function computes; the function owns the parts.
template <typename Compute>
class FunctionExpression final : public Expression {
 public:
  FunctionExpression(int line, int depth, Compute compute) : Expression(line, depth), compute_(std::move(compute)) {}

 private:
  Value compute(Context& context) const override { return compute_(context); }

  Compute compute_;
};

int depth_of(const ExpressionPointer& part) { return part ? part->depth() : 0; }
int depth_of(const CallArguments& arguments) { return arguments.depth(); }
int depth_of(const Link& link) { return link.operand->depth(); }
template <typename First>
int depth_of(const std::pair<First, ExpressionPointer>& entry) {
  return entry.second->depth();
}
int depth_of(const std::pair<ExpressionPointer, ExpressionPointer>& entry) {
  return std::max(entry.first->depth(), entry.second->depth());
}
template <typename Part>
int depth_of(const std::vector<Part>& parts) {
  int deepest = 0;
  for (const Part& part : parts) deepest = std::max(deepest, depth_of(part));
  return deepest;
}

template <typename Compute>
ExpressionPointer expression(int line, int depth_inside, Compute compute) {
  return std::make_unique<FunctionExpression<Compute>>(line, depth_inside + 1, std::move(compute));
}

Value value_or_none(const ExpressionPointer& part, Context& context) {
  return part ? part->evaluate(context) : Value(nullptr);
}

/// The value of a chain so far. Texts that are added one after the other grow in one place: a template which adds each
/// message to the text of those before would otherwise copy it again for each of the message's parts.
class Sum {
 public:
  Sum(Budget& budget, Value first) : budget_(budget), value_(std::move(first)) {}

  void add(const std::string& symbol, const Value& right) {
    const bool grows = symbol == "+" && is_plain(right) && (text_ || is_plain(value_));
    if (!grows) {
      value_ = calculate(budget_, symbol, value(), right);
      return;
    }
    if (!text_) {
      text_.emplace(budget_);
      append(value_);
    }
    append(right);
  }

  Value value() {
    if (text_) {
      value_ = text_->take_value();
      text_.reset();
    }
    return value_;
  }

 private:
  static bool is_plain(const Value& value) { return value.is_string() && !value.is_markup(); }
  void append(const Value& value) {
    budget_.step(value.string().size() / 512);
    text_->append(value.string());
  }

  Budget& budget_;
  Value value_;
  std::optional<TextBuilder> text_;
};

/// The steps for what an operation is given.
void pay(Context& context, const Value& input, const Arguments& arguments) {
  std::size_t extent = input.extent();
  for (const Value& value : arguments.positional) extent += value.extent();
  for (const auto& entry : arguments.keyword) extent += entry.second.extent();
  context.budget().read(extent);
}

}  // namespace

Expression::Expression(int line, int depth) : line_(line), depth_(depth) {
  if (depth > kDeepest) {
    fail_input("line ", line, ": an expression holds others more than ", kDeepest, " deep, the most that may be");
  }
}

int CallArguments::depth() const {
  return std::max({depth_of(positional), depth_of(keyword), depth_of(star), depth_of(double_star)});
}

Arguments CallArguments::evaluate(Context& context) const {
  Arguments arguments;
  for (const auto& argument : positional) arguments.positional.push_back(argument->evaluate(context));
  if (star) {
    for (Value& item : star->evaluate(context).items(context.budget())) arguments.positional.push_back(std::move(item));
  }
  for (const auto& [name, argument] : keyword) arguments.keyword.emplace_back(name, argument->evaluate(context));
  if (double_star) {
    const Value names = double_star->evaluate(context);
    if (!names.is_dict()) refuse("'**' wants a mapping, found ", names.kind());
    for (const auto& [name, value] : names.dict().entries)
      arguments.keyword.emplace_back(str(context.budget(), name), value);
  }
  return arguments;
}

ExpressionPointer make_constant(int line, Value value) {
  return expression(line, 0, [value = std::move(value)](Context&) { return value; });
}

ExpressionPointer make_name(int line, std::string name) {
  return expression(line, 0, [name = std::move(name)](Context& context) { return context.find(name); });
}

ExpressionPointer make_list(int line, std::vector<ExpressionPointer> items, bool is_tuple) {
  const int depth = depth_of(items);
  return expression(line, depth, [items = std::move(items), is_tuple](Context& context) {
    std::vector<Value> values;
    for (const auto& item : items) values.push_back(item->evaluate(context));
    return Value::list(context.budget(), std::move(values), is_tuple ? ListKind::kTuple : ListKind::kList);
  });
}

ExpressionPointer make_dict(int line, std::vector<std::pair<ExpressionPointer, ExpressionPointer>> entries) {
  const int depth = depth_of(entries);
  return expression(line, depth, [entries = std::move(entries)](Context& context) {
    Dict dict;
    for (const auto& [key, value] : entries) {
      Value name = key->evaluate(context);
      dict.set(context.budget(), std::move(name), value->evaluate(context));
    }
    return Value(context.budget(), std::move(dict));
  });
}

ExpressionPointer make_unary(int line, std::string symbol, ExpressionPointer operand) {
  const int depth = depth_of(operand);
  return expression(line, depth, [symbol = std::move(symbol), operand = std::move(operand)](Context& context) {
    const Value value = operand->evaluate(context);
    return symbol == "not" ? Value(!value.truthy()) : signed_number(symbol, value);
  });
}

ExpressionPointer make_calculation(ExpressionPointer first, std::vector<Link> rest) {
  const int line = first->line();
  const int depth = std::max(depth_of(first), depth_of(rest));
  const bool joins = std::all_of(rest.begin(), rest.end(), [](const Link& link) { return link.symbol == "~"; });
  if (joins) {
    return expression(line, depth, [first = std::move(first), rest = std::move(rest)](Context& context) {
      TextBuilder out(context.budget());
      print(out, first->evaluate(context));
      for (const Link& link : rest) print(out, link.operand->evaluate(context));
      return out.take_value();
    });
  }
  return expression(line, depth, [first = std::move(first), rest = std::move(rest)](Context& context) {
    Sum left(context.budget(), first->evaluate(context));
    for (const Link& link : rest) {
      const Value right = link.operand->evaluate(context);
      context.at_line(link.line);
      left.add(link.symbol, right);
    }
    return left.value();
  });
}

ExpressionPointer make_choice(std::string symbol, std::vector<ExpressionPointer> parts) {
  const int line = parts.front()->line();
  const int depth = depth_of(parts);
  return expression(line, depth, [decides = symbol == "or", parts = std::move(parts)](Context& context) {
    Value value;
    for (const auto& part : parts) {
      value = part->evaluate(context);
      if (value.truthy() == decides) break;
    }
    return value;
  });
}

ExpressionPointer make_comparison(ExpressionPointer first, std::vector<Link> rest) {
  const int line = first->line();
  const int depth = std::max(depth_of(first), depth_of(rest));
  return expression(line, depth, [first = std::move(first), rest = std::move(rest)](Context& context) {
    Value left = first->evaluate(context);
    for (const Link& link : rest) {
      Value right = link.operand->evaluate(context);
      context.at_line(link.line);
      if (!compare(context.budget(), link.symbol, left, right)) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  });
}

ExpressionPointer make_conditional(int line, ExpressionPointer condition, ExpressionPointer value,
                                   ExpressionPointer otherwise) {
  const int depth = std::max({depth_of(condition), depth_of(value), depth_of(otherwise)});
  return expression(line, depth,
                    [condition = std::move(condition), value = std::move(value),
                     otherwise = std::move(otherwise)](Context& context) {
                      if (condition->evaluate(context).truthy()) return value->evaluate(context);
                      return otherwise ? otherwise->evaluate(context)
                                       : Value(Undefined("the missing else of an inline if"));
                    });
}

ExpressionPointer make_attribute(int line, ExpressionPointer object, std::string name) {
  const int depth = depth_of(object);
  return expression(line, depth, [line, object = std::move(object), name = std::move(name)](Context& context) {
    const Value value = object->evaluate(context);
    context.at_line(line);
    return attribute(context, value, name);
  });
}

ExpressionPointer make_subscript(int line, ExpressionPointer object, ExpressionPointer key) {
  const int depth = std::max(depth_of(object), depth_of(key));
  return expression(line, depth, [line, object = std::move(object), key = std::move(key)](Context& context) {
    const Value value = object->evaluate(context);
    const Value index = key->evaluate(context);
    context.at_line(line);
    return subscript(context, value, index);
  });
}

ExpressionPointer make_slice(int line, ExpressionPointer object, ExpressionPointer start, ExpressionPointer stop,
                             ExpressionPointer step) {
  const int depth = std::max({depth_of(object), depth_of(start), depth_of(stop), depth_of(step)});
  return expression(line, depth,
                    [line, object = std::move(object), start = std::move(start), stop = std::move(stop),
                     step = std::move(step)](Context& context) {
                      const Value value = object->evaluate(context);
                      const Value from = value_or_none(start, context);
                      const Value to = value_or_none(stop, context);
                      const Value by = value_or_none(step, context);
                      context.at_line(line);
                      return slice(context.budget(), value, from, to, by);
                    });
}

ExpressionPointer make_call(int line, ExpressionPointer function, CallArguments arguments) {
  const int depth = std::max(depth_of(function), depth_of(arguments));
  return expression(line, depth,
                    [line, function = std::move(function), arguments = std::move(arguments)](Context& context) {
                      const Value callee = function->evaluate(context);
                      const Arguments values = arguments.evaluate(context);
                      context.at_line(line);
                      pay(context, callee, values);
                      return call(context, callee, values);
                    });
}

ExpressionPointer make_filter(int line, ExpressionPointer input, std::string name, CallArguments arguments) {
  const int depth = std::max(depth_of(input), depth_of(arguments));
  return expression(line, depth,
                    [line, input = std::move(input), name = std::move(name),
                     arguments = std::move(arguments)](Context& context) {
                      const Value value = input->evaluate(context);
                      const Arguments values = arguments.evaluate(context);
                      context.at_line(line);
                      pay(context, value, values);
                      return apply_filter(context, name, value, values);
                    });
}

ExpressionPointer make_test(int line, ExpressionPointer input, std::string name, CallArguments arguments,
                            bool negated) {
  const int depth = std::max(depth_of(input), depth_of(arguments));
  return expression(line, depth,
                    [line, input = std::move(input), name = std::move(name), arguments = std::move(arguments),
                     negated](Context& context) {
                      const Value value = input->evaluate(context);
                      const Arguments values = arguments.evaluate(context);
                      context.at_line(line);
                      pay(context, value, values);
                      return Value(apply_test(context, name, value, values) != negated);
                    });
}

}  // namespace kvmesh::llm::jinja

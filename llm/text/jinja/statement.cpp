#include "llm/text/jinja/statement.hpp"

#include "llm/text/jinja/print.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// The value of an expression that reads the text of a block.
Value value_of_block(const Body& body, const ExpressionPointer& value, Context& context) {
  const InnerScope scope(context, context.scope());
  TextBuilder text(context.budget());
  run_body(body, context, text);
  context.define(kBlockText, text.take_value());
  return value->evaluate(context);
}

void assign_parts(Context& context, const Target& target, const Value& value) {
  const std::vector<Value> items = value.items(context.budget());
  if (value.is_undefined() || items.size() != target.parts.size()) {
    refuse("cannot take ", items.size(), " values apart into ", target.parts.size(), " names");
  }
  for (std::size_t index = 0; index < items.size(); ++index) assign(context, target.parts[index], items[index]);
}

}  // namespace

void assign(Context& context, const Target& target, const Value& value) {
  if (!target.parts.empty()) return assign_parts(context, target, value);
  if (target.attribute.empty()) return context.set(target.name, value);
  const Value object = context.find(target.name.string());
  if (!object.is_object() || !object.object().is_namespace()) {
    refuse("'", target.name.string(), ".", target.attribute, "' cannot be set: ", object.kind(), " is not a namespace");
  }
  static_cast<Namespace&>(object.object()).set(context.budget(), Value(context.budget(), target.attribute), value);
}

Flow run_body(const Body& body, Context& context, TextBuilder& out) {
  for (const StatementPointer& part : body) {
    const Flow flow = part->run(context, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

StatementPointer make_text(std::string text) {
  return make_statement([text = std::move(text)](Context&, TextBuilder& out) {
    out.append(text);
    return Flow::kNext;
  });
}

StatementPointer make_print(ExpressionPointer value) {
  return make_statement([value = std::move(value)](Context& context, TextBuilder& out) {
    print(out, value->evaluate(context));
    return Flow::kNext;
  });
}

StatementPointer make_jump(Flow flow) {
  return make_statement([flow](Context&, TextBuilder&) { return flow; });
}

StatementPointer make_block(Body body) {
  return make_statement(
      [body = std::move(body)](Context& context, TextBuilder& out) { return run_body(body, context, out); });
}

StatementPointer make_if(std::vector<std::pair<ExpressionPointer, Body>> branches) {
  return make_statement([branches = std::move(branches)](Context& context, TextBuilder& out) {
    for (const auto& [condition, body] : branches) {
      if (!condition || condition->evaluate(context).truthy()) return run_body(body, context, out);
    }
    return Flow::kNext;
  });
}

StatementPointer make_set(int line, Target target, ExpressionPointer value) {
  return make_statement([line, target = std::move(target), value = std::move(value)](Context& context, TextBuilder&) {
    const Value result = value->evaluate(context);
    context.at_line(line);
    assign(context, target, result);
    return Flow::kNext;
  });
}

StatementPointer make_set_block(int line, Target target, Body body, ExpressionPointer value) {
  return make_statement([line, target = std::move(target), body = std::move(body),
                         value = std::move(value)](Context& context, TextBuilder&) {
    const Value result = value_of_block(body, value, context);
    context.at_line(line);
    assign(context, target, result);
    return Flow::kNext;
  });
}

StatementPointer make_filter_block(Body body, ExpressionPointer value) {
  return make_statement([body = std::move(body), value = std::move(value)](Context& context, TextBuilder& out) {
    print(out, value_of_block(body, value, context));
    return Flow::kNext;
  });
}

StatementPointer make_with(std::vector<std::pair<Target, ExpressionPointer>> values, Body body) {
  return make_statement([values = std::move(values), body = std::move(body)](Context& context, TextBuilder& out) {
    std::vector<Value> results;
    for (const auto& entry : values) results.push_back(entry.second->evaluate(context));
    const InnerScope scope(context, context.scope());
    for (std::size_t index = 0; index < values.size(); ++index) assign(context, values[index].first, results[index]);
    return run_body(body, context, out);
  });
}

}  // namespace kvmesh::llm::jinja

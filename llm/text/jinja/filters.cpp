#include "llm/text/jinja/filters.hpp"

#include <array>

#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/literals.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// Null: there is no filter of this name.
Filter find_filter(const std::string& name) {
  for (const Filters* filters : {&text_filters(), &number_filters(), &list_filters(), &order_filters()}) {
    if (const auto found = filters->find(name); found != filters->end()) return found->second;
  }
  return nullptr;
}

}  // namespace

bool has_filter(const std::string& name) { return find_filter(name) != nullptr; }

Value apply_filter(Context& context, const std::string& name, const Value& input, const Arguments& arguments) {
  const Filter filter = find_filter(name);
  if (filter == nullptr) refuse("the filter '|", text::excerpt(name), "' is not supported");
  return filter(context, input, arguments);
}

Value attribute_path(Context& context, Value object, const Value& where, const Value& missing) {
  if (where.is_none()) return object;
  const auto step = [&](const Value& key) {
    context.budget().step();
    object = subscript(context, object, key);
    if (object.is_undefined() && !missing.is_none()) object = missing;
  };
  if (!where.is_string()) {
    step(where);
    return object;
  }
  for (const std::string_view part : text::split(where.string(), ".", -1)) {
    const auto number = text::all_of(part, text::is_digit) ? parse_integer(part, 10) : std::nullopt;
    step(number ? Value(*number) : Value(context.budget(), std::string(part)));
  }
  return object;
}

}  // namespace kvmesh::llm::jinja

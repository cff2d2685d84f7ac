#include "llm/text/jinja/markup.hpp"

#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {

Value escaped(Budget& budget, const Value& value) {
  if (value.is_markup()) return value;
  TextBuilder out(budget);
  text::append_escaped(out, str(budget, value));
  return out.take_value(/*is_markup=*/true);
}

Value as_markup(Budget& budget, const Value& value) {
  if (value.is_markup()) return value;
  if (value.is_string()) return Value(budget, value.string(), /*is_markup=*/true);
  if (!value.is_sequence()) return value;
  std::vector<Value> items;
  for (const Value& item : value.list().items) items.push_back(as_markup(budget, item));
  return Value::list(budget, std::move(items), value.list().kind);
}

}  // namespace kvmesh::llm::jinja

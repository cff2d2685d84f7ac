#pragma once

#include "llm/text/jinja/value.hpp"

/// Python's comparisons. Each value that is looked at costs a step.
namespace kvmesh::llm::jinja {

bool equal(Budget& budget, const Value& left, const Value& right);

/// Python's `<`. Throws TemplateError for what has no order.
bool less(Budget& budget, const Value& left, const Value& right);

/// Is `item` in `container`: an item, a key, a part of a string.
bool contains(Budget& budget, const Value& container, const Value& item);

/// Can it be the key of a mapping?
bool is_hashable(Budget& budget, const Value& value);

}  // namespace kvmesh::llm::jinja

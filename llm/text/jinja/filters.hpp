#pragma once

#include <map>
#include <string>

#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {

using Filter = Value (*)(Context& context, const Value& input, const Arguments& arguments);
using Filters = std::map<std::string, Filter, std::less<>>;

const Filters& text_filters();
const Filters& number_filters();
const Filters& list_filters();
const Filters& order_filters();

/// "a.b.0" of an object, the way the `attribute` of filters reads it; none is the object itself. What is undefined on
/// the way becomes `missing`, unless that is none.
Value attribute_path(Context& context, Value object, const Value& where, const Value& missing = nullptr);

}  // namespace kvmesh::llm::jinja

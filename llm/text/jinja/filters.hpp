#pragma once

#include <map>
#include <string>

#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {

using Filter = Value (*)(Context& context, const Value& input, const Arguments& arguments);
using Filters = std::map<std::string, Filter>;

const Filters& text_filters();
const Filters& list_filters();

}  // namespace kvmesh::llm::jinja

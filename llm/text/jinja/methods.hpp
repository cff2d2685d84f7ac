#pragma once

#include <map>
#include <string>

#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {

using Method = Value (*)(Context& context, const Value& self, const Arguments& arguments);
using Methods = std::map<std::string, Method, std::less<>>;

/// Python's str methods by name; `self` is a string. What they give of markup is markup.
const Methods& string_methods();

}  // namespace kvmesh::llm::jinja

#pragma once

#include <map>
#include <string>

#include "llm/text/jinja/value.hpp"

namespace kvmesh::llm::jinja {

using Method = Value (*)(const Value& self, const Arguments& arguments);
using Methods = std::map<std::string, Method>;

/// Python's str methods by name; `self` is a string.
const Methods& string_methods();

}  // namespace kvmesh::llm::jinja

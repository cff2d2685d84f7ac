#pragma once

#include <string_view>

#include "llm/text/jinja/statement.hpp"

namespace kvmesh::llm::jinja {

/// A template as a tree. Throws Error{kFixInput} that names the line and quotes the construct.
Body parse(std::string_view source);

}  // namespace kvmesh::llm::jinja

#pragma once

#include <string>

#include "llm/text/jinja/value.hpp"

/// Python's operators. They throw TemplateError for operands that do not go together.
namespace kvmesh::llm::jinja {

Value signed_number(const std::string& sign, const Value& operand);
/// + - * / // % ** ~
Value calculate(Budget& budget, const std::string& symbol, const Value& left, const Value& right);
/// == != < <= > >= in, not in
bool compare(Budget& budget, const std::string& symbol, const Value& left, const Value& right);

/// Bounds that are none were left out.
Value slice(Budget& budget, const Value& object, const Value& start, const Value& stop, const Value& step);

}  // namespace kvmesh::llm::jinja

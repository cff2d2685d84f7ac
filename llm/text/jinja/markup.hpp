#pragma once

#include "llm/text/jinja/value.hpp"

/// Python's Markup: text that is as HTML wants it. Nothing is escaped on its own here, as transformers has it; but what
/// is added to markup is, which `|safe` and `|e` make.
namespace kvmesh::llm::jinja {

/// As markup: what is markup already as it is, all else escaped.
Value escaped(Budget& budget, const Value& value);
/// The same text as markup; of a list, its texts.
Value as_markup(Budget& budget, const Value& value);

}  // namespace kvmesh::llm::jinja

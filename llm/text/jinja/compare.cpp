#include "llm/text/jinja/compare.hpp"

#include <algorithm>

#include "llm/text/jinja/object.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

bool equal_dicts(Budget& budget, const Dict& left, const Dict& right) {
  return left.entries.size() == right.entries.size() &&
         std::all_of(left.entries.begin(), left.entries.end(), [&](const auto& entry) {
           const Value* other = right.find(budget, entry.first);
           return other != nullptr && equal(budget, *other, entry.second);
         });
}

bool is_tuple(const List& list) { return list.kind == ListKind::kTuple || list.kind == ListKind::kGroup; }

bool equal_lists(Budget& budget, const List& left, const List& right) {
  if (&left == &right) return true;
  const bool same_kind = left.kind == right.kind || (is_tuple(left) && is_tuple(right));
  // Generators and views of values are equal to themselves alone.
  if (!same_kind || left.kind == ListKind::kGenerator || left.kind == ListKind::kValues) return false;
  return std::equal(left.items.begin(), left.items.end(), right.items.begin(), right.items.end(),
                    [&](const Value& one, const Value& other) { return equal(budget, one, other); });
}

}  // namespace

bool equal(Budget& budget, const Value& left, const Value& right) {
  budget.step();
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return left.number() == right.number();
    return left.integer() == right.integer();
  }
  if (left.is_string() && right.is_string()) {
    budget.step(left.string().size() == right.string().size() ? left.string().size() / 256 : 0);
    return left.string() == right.string();
  }
  if (left.is_list() && right.is_list()) return equal_lists(budget, left.list(), right.list());
  if (left.is_dict() && right.is_dict()) return equal_dicts(budget, left.dict(), right.dict());
  if (left.is_object() && right.is_object()) return &left.object() == &right.object();
  if (left.is_function() && right.is_function()) return &left.function() == &right.function();
  return (left.is_none() && right.is_none()) || (left.is_undefined() && right.is_undefined());
}

bool less(Budget& budget, const Value& left, const Value& right) {
  budget.step();
  if (left.is_number() && right.is_number()) {
    if (left.is_float() || right.is_float()) return left.number() < right.number();
    return left.integer() < right.integer();
  }
  if (left.is_string() && right.is_string()) {
    budget.step(std::min(left.string().size(), right.string().size()) / 256);
    return left.string() < right.string();
  }
  const bool same = left.is_sequence() && right.is_sequence() && is_tuple(left.list()) == is_tuple(right.list());
  if (same) {
    const std::vector<Value>& one = left.list().items;
    const std::vector<Value>& other = right.list().items;
    const auto [differs, against] =
        std::mismatch(one.begin(), one.end(), other.begin(), other.end(),
                      [&](const Value& first, const Value& second) { return equal(budget, first, second); });
    if (differs == one.end() || against == other.end()) return one.size() < other.size();
    return less(budget, *differs, *against);
  }
  refuse("there is no order between ", left.kind(), " and ", right.kind());
}

bool contains(Budget& budget, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) refuse("a string cannot contain ", item.kind());
    budget.read(container.string().size());
    return text::find(container.string(), item.string()) != std::string::npos;
  }
  if (container.is_dict()) {
    if (!is_hashable(budget, item)) refuse(item.kind(), " cannot be the key of a mapping");
    return container.dict().find(budget, item) != nullptr;
  }
  if (container.is_list()) {
    const List& list = container.list();
    for (std::size_t at = list.walked; at < list.items.size(); ++at) {
      if (list.kind == ListKind::kGenerator) ++list.walked;
      if (equal(budget, list.items[at], item)) return true;
    }
    return false;
  }
  if (!container.is_undefined()) refuse("cannot look into ", container.kind());
  return false;
}

bool is_hashable(Budget& budget, const Value& value) {
  budget.step();
  if (value.is_dict()) return false;
  if (!value.is_list()) return true;
  const List& list = value.list();
  if (!is_tuple(list)) return list.kind == ListKind::kRange || list.kind == ListKind::kGenerator;
  return std::all_of(list.items.begin(), list.items.end(),
                     [&](const Value& item) { return is_hashable(budget, item); });
}

}  // namespace kvmesh::llm::jinja

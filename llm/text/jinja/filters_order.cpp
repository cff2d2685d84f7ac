#include <algorithm>

#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/filters.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/operators.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

struct Keyed {
  Value key;
  Value item;
};

/// Strings in small letters where case does not count.
Value folded(Context& context, const Value& key, bool case_sensitive) {
  if (case_sensitive || !key.is_string()) return key;
  context.budget().read(key.string().size());
  return Value(context.budget(), text::lower(key.string()));
}

/// What sorting and comparing look at.
Value key_of(Context& context, const Value& item, const Value& where, bool case_sensitive,
             const Value& missing = nullptr) {
  return folded(context, attribute_path(context, item, where, missing), case_sensitive);
}

/// Several attributes, of which the first counts most, where commas are between their names.
Value keys_of(Context& context, const Value& item, const Value& where, bool case_sensitive) {
  if (!where.is_string()) return key_of(context, item, where, case_sensitive);
  std::vector<Value> keys;
  for (const std::string_view name : text::split(where.string(), ",", -1)) {
    keys.push_back(key_of(context, item, Value(context.budget(), std::string(name)), case_sensitive));
  }
  return Value::tuple(context.budget(), std::move(keys));
}

void sort_by_key(Context& context, std::vector<Keyed>& keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& left, const Keyed& right) {
    return reverse ? less(context.budget(), right.key, left.key) : less(context.budget(), left.key, right.key);
  });
}

std::vector<Value> items_of(std::vector<Keyed> keyed) {
  std::vector<Value> items;
  for (Keyed& one : keyed) items.push_back(std::move(one.item));
  return items;
}

Value sort(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const Value where = bound.value("attribute", nullptr);
  std::vector<Keyed> keyed;
  for (const Value& item : input.items(context.budget())) {
    keyed.push_back({keys_of(context, item, where, bound.flag("case_sensitive", false)), item});
  }
  sort_by_key(context, keyed, bound.flag("reverse", false));
  return Value::list(context.budget(), items_of(std::move(keyed)));
}

Value dict_sort(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (!input.is_dict()) refuse("'dictsort' wants a mapping, found ", input.kind());
  const std::string by = bound.text("by", "key");
  if (by != "key" && by != "value") refuse("'dictsort' sorts by \"key\" or by \"value\", not by \"", by, "\"");
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.dict().entries) {
    keyed.push_back({folded(context, by == "key" ? key : value, bound.flag("case_sensitive", false)),
                     Value::tuple(context.budget(), {key, value})});
  }
  sort_by_key(context, keyed, bound.flag("reverse", false));
  return Value::list(context.budget(), items_of(std::move(keyed)));
}

Value unique(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  Dict seen;
  std::vector<Value> out;
  for (const Value& item : input.items(context.budget())) {
    Value key = key_of(context, item, bound.value("attribute", nullptr), bound.flag("case_sensitive", false));
    const std::size_t before = seen.entries.size();
    seen.set(context.budget(), std::move(key), nullptr);
    if (seen.entries.size() > before) out.push_back(item);
  }
  return Value::list(context.budget(), std::move(out), ListKind::kGenerator);
}

template <bool kLargest>
Value extreme(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound(kLargest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  std::vector<Keyed> keyed;
  for (const Value& item : input.items(context.budget())) {
    keyed.push_back(
        {key_of(context, item, bound.value("attribute", nullptr), bound.flag("case_sensitive", false)), item});
  }
  if (keyed.empty()) return Undefined("the extreme of nothing");
  return std::min_element(keyed.begin(), keyed.end(),
                          [&](const Keyed& left, const Keyed& right) {
                            return kLargest ? less(context.budget(), right.key, left.key)
                                            : less(context.budget(), left.key, right.key);
                          })
      ->item;
}

Value sum(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  const Value where = bound.value("attribute", nullptr);
  Value total = bound.value("start", std::int64_t{0});
  if (total.is_string()) refuse("'sum' adds no strings; 'join' does");
  for (const Value& item : input.items(context.budget())) {
    context.budget().step();
    total = calculate(context.budget(), "+", total, attribute_path(context, item, where));
  }
  return total;
}

/// Groups of items whose attribute is the same, in its order; a group bears the attribute of its first item.
Value group_by(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"});
  const Value where = bound.need("attribute");
  const Value missing = bound.value("default", nullptr);
  std::vector<Keyed> keyed;
  for (const Value& item : input.items(context.budget())) {
    keyed.push_back({key_of(context, item, where, bound.flag("case_sensitive", false), missing), item});
  }
  sort_by_key(context, keyed, /*reverse=*/false);
  std::vector<Value> out;
  for (auto begin = keyed.begin(); begin != keyed.end();) {
    const auto end = std::find_if(begin, keyed.end(),
                                  [&](const Keyed& other) { return !equal(context.budget(), begin->key, other.key); });
    std::vector<Value> members;
    std::transform(begin, end, std::back_inserter(members), [](const Keyed& one) { return one.item; });
    out.push_back(Value::list(context.budget(),
                              {attribute_path(context, begin->item, where, missing),
                               Value::list(context.budget(), std::move(members))},
                              ListKind::kGroup));
    begin = end;
  }
  return Value::list(context.budget(), std::move(out));
}

}  // namespace

const Filters& order_filters() {
  static const Filters kFilters{
      {"sort", sort},         {"dictsort", dict_sort}, {"unique", unique}, {"min", extreme<false>},
      {"max", extreme<true>}, {"groupby", group_by},   {"sum", sum},
  };
  return kFilters;
}

}  // namespace kvmesh::llm::jinja

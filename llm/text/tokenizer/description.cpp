#include "llm/text/tokenizer/description.hpp"

#include <limits>

namespace kvmesh::llm {

Description Description::child(const nlohmann::json& value, const std::string& place) const {
  return Description(value, file_, place);
}

bool Description::has(const std::string& key) const {
  if (!value_->is_object()) return false;
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

Description Description::at(const std::string& key) const {
  if (!value_->is_object()) fail("expected an object, found ", value_->type_name());
  if (!has(key)) fail("\"", key, "\" is missing");
  return child((*value_)[key], place_.empty() ? key : place_ + "." + key);
}

Description Description::at(std::size_t index) const { return child((*value_)[index], cat(place_, "[", index, "]")); }

std::size_t Description::size() const {
  if (!value_->is_array()) fail("expected an array, found ", value_->type_name());
  return value_->size();
}

std::string Description::text() const {
  if (!value_->is_string()) fail("expected a string, found ", value_->type_name());
  return value_->get<std::string>();
}

bool Description::flag(const std::string& key, bool missing) const {
  if (!has(key)) return missing;
  const Description node = at(key);
  if (!node.value_->is_boolean()) node.fail("expected true or false, found ", node.value_->type_name());
  return node.value_->get<bool>();
}

std::int64_t Description::number() const {
  if (!value_->is_number_integer()) fail("expected a whole number, found ", value_->type_name());
  const auto number = value_->get<std::int64_t>();
  if (number < 0 || number > std::numeric_limits<std::int32_t>::max()) fail(number, " is out of range");
  return number;
}

}  // namespace kvmesh::llm

#include <algorithm>

#include "base/error.hpp"
#include "llm/text/jinja/library.hpp"

namespace kvmesh::llm::jinja {

Bound::Bound(const std::string& function, const Arguments& arguments, std::vector<std::string> names)
    : function_(function), names_(std::move(names)) {
  if (arguments.positional.size() > names_.size()) {
    refuse("'", function_, "' takes at most ", names_.size(), " arguments, found ", arguments.positional.size());
  }
  for (std::size_t index = 0; index < arguments.positional.size(); ++index) {
    values_.emplace_back(names_[index], arguments.positional[index]);
  }
  for (const auto& [name, value] : arguments.keyword) {
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) {
      refuse("'", function_, "' has no argument '", name, "'");
    }
    if (find(name) != nullptr) refuse("'", function_, "' is given '", name, "' twice");
    values_.emplace_back(name, value);
  }
}

const Value* Bound::find(const std::string& name) const {
  const auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
  return found == values_.end() ? nullptr : &found->second;
}

Value Bound::value(const std::string& name, Value missing) const {
  const Value* found = find(name);
  return found != nullptr ? *found : std::move(missing);
}

Value Bound::need(const std::string& name) const {
  const Value* found = find(name);
  if (found == nullptr) refuse("'", function_, "' needs the argument '", name, "'");
  return *found;
}

std::string Bound::text(const std::string& name, const std::string& missing) const {
  const Value* found = find(name);
  if (found == nullptr) return missing;
  if (!found->is_string()) {
    refuse("'", function_, "' wants a string as '", name, "', found ", found->kind());
  }
  return found->string();
}

bool Bound::flag(const std::string& name, bool missing) const {
  const Value* found = find(name);
  return found != nullptr ? found->truthy() : missing;
}

std::size_t Bound::count(const std::string& name, std::int64_t missing) const {
  return static_cast<std::size_t>(std::max<std::int64_t>(integer(name, missing), 0));
}

std::int64_t Bound::integer(const std::string& name, std::int64_t missing) const {
  const Value* found = find(name);
  return found != nullptr ? found->integer() : missing;
}

}  // namespace kvmesh::llm::jinja

#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kvmesh::llm {

/// One object or array of a JSON file, with where it stands, so that every complaint names file and construct:
/// "…/tokenizer.json: pre_tokenizer.pretokenizers[1]: unknown type "Foo"". Borrows the parsed document.
class Description {
 public:
  Description(const nlohmann::json& value, std::string file, std::string place = "")
      : value_(&value), file_(std::move(file)), place_(std::move(place)) {}

  const nlohmann::json& value() const { return *value_; }

  /// Is `key` there and not null?
  bool has(const std::string& key) const;

  /// The value of `key`, which must be there and not null.
  Description at(const std::string& key) const;

  /// The element `index` of an array. size() complains when this is none.
  Description at(std::size_t index) const;
  std::size_t size() const;

  std::string text() const;
  std::string text(const std::string& key) const { return at(key).text(); }
  std::string text(const std::string& key, const std::string& missing) const { return has(key) ? text(key) : missing; }
  bool flag(const std::string& key, bool missing) const;
  std::int64_t number() const;
  std::int64_t number(const std::string& key) const { return at(key).number(); }

  /// Throws Error{kFixInput} with the file and the place in front.
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_input(file_, ": ", place_.empty() ? "top level" : place_, ": ", parts...);
  }

 private:
  Description child(const nlohmann::json& value, const std::string& place) const;

  const nlohmann::json* value_;
  std::string file_;
  std::string place_;
};

}  // namespace kvmesh::llm

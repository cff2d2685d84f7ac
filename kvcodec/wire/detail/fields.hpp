#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::wire::detail {

/// Finds the named fields of an object, one after the other; end() where there is none of that name.
template <typename Value>
class Finder {
 public:
  explicit Finder(const Value& object) : object_(object) {}
  auto find(std::string_view key) { return object_.find(key); }

 private:
  const Value& object_;
};

/// Reads the named fields of an object from a peer: a JSON object (Value is nlohmann::json) or a msgpack map
/// (MsgpackValue). Every read throws Error{kReconnect} that names the object and the field where the field is missing,
/// of another type or out of range. The object outlives this.
template <typename Value>
class Fields {
 public:
  /// `what` names the object in errors: "manifest"; `number` too, where there are several: "tensor ", 1.
  Fields(const Value& object, const char* what, int number = -1)
      : object_(object), finder_(object), what_(what), number_(number) {
    if (!object.is_object()) refuse(cat("is ", object.type_name(), ", but must be a map"));
  }

  const Value& member(std::string_view key) const {
    const auto found = finder_.find(key);
    if (found == object_.end()) refuse(cat("field \"", key, "\" is missing"));
    return *found;
  }

  bool has(std::string_view key) const { return finder_.find(key) != object_.end(); }

  std::string string(std::string_view key) const {
    const Value& value = member(key);
    if (!value.is_string()) mistyped(key, value, "a string");
    return value.template get<std::string>();
  }

  bool boolean(std::string_view key) const {
    const Value& value = member(key);
    if (!value.is_boolean()) mistyped(key, value, "a boolean");
    return value.template get<bool>();
  }

  double number(std::string_view key) const {
    const Value& value = member(key);
    if (!value.is_number()) mistyped(key, value, "a number");
    return value.template get<double>();
  }

  /// A whole number that fits Integer and is at least `low`.
  template <typename Integer>
  Integer integer(std::string_view key, Integer low = std::numeric_limits<Integer>::min()) const {
    return to_integer<Integer>(key, member(key), low);
  }

  const Value& array(std::string_view key, std::size_t max_size) const {
    const Value& value = member(key);
    if (!value.is_array()) mistyped(key, value, "an array");
    if (value.size() > max_size) {
      refuse(cat("field \"", key, "\" has ", value.size(), " elements, more than the limit of ", max_size));
    }
    return value;
  }

  /// An element of the array `key`, with the checks of integer().
  template <typename Integer>
  Integer to_integer(std::string_view key, const Value& value,
                     Integer low = std::numeric_limits<Integer>::min()) const {
    if (!value.is_number_integer()) mistyped(key, value, "a whole number");
    if (value.is_number_unsigned()) return in_range(key, value.template get<std::uint64_t>(), low);
    return in_range(key, value.template get<std::int64_t>(), low);
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorKind::kReconnect, cat(what_, number_ < 0 ? "" : std::to_string(number_), ": ", reason));
  }

 private:
  template <typename Integer, typename Number>
  Integer in_range(std::string_view key, Number number, Integer low) const {
    if (!std::in_range<Integer>(number) || static_cast<Integer>(number) < low)
      refuse(cat("field \"", key, "\" is out of range: ", number));
    return static_cast<Integer>(number);
  }

  [[noreturn]] void mistyped(std::string_view key, const Value& value, const char* wanted) const {
    refuse(cat("field \"", key, "\" is ", value.type_name(), ", but must be ", wanted));
  }

  const Value& object_;
  mutable Finder<Value> finder_;
  const char* what_;
  int number_;
};

}  // namespace kvmesh::wire::detail

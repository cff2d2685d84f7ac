#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::wire::detail {

/// Reads the named fields of a JSON or msgpack object from a peer. Every read throws Error{kReconnect} that names the
/// object and the field where the field is missing, of another type or out of range. The object outlives this.
class Fields {
 public:
  /// `what` names the object in errors: "manifest", "tensor 1".
  Fields(const nlohmann::json& object, std::string what) : object_(object), what_(std::move(what)) {
    if (!object.is_object()) refuse(cat("is ", object.type_name(), ", but must be a map"));
  }

  const nlohmann::json& member(std::string_view key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) refuse(cat("field \"", key, "\" is missing"));
    return *found;
  }

  std::string string(std::string_view key) const {
    const nlohmann::json& value = member(key);
    if (!value.is_string()) mistyped(key, value, "a string");
    return value.get<std::string>();
  }

  bool boolean(std::string_view key) const {
    const nlohmann::json& value = member(key);
    if (!value.is_boolean()) mistyped(key, value, "a boolean");
    return value.get<bool>();
  }

  double number(std::string_view key) const {
    const nlohmann::json& value = member(key);
    if (!value.is_number()) mistyped(key, value, "a number");
    return value.get<double>();
  }

  /// A whole number that fits Integer and is at least `low`.
  template <typename Integer>
  Integer integer(std::string_view key, Integer low = std::numeric_limits<Integer>::min()) const {
    return to_integer<Integer>(key, member(key), low);
  }

  const nlohmann::json& array(std::string_view key, std::size_t max_size) const {
    const nlohmann::json& value = member(key);
    if (!value.is_array()) mistyped(key, value, "an array");
    if (value.size() > max_size) {
      refuse(cat("field \"", key, "\" has ", value.size(), " elements, more than the limit of ", max_size));
    }
    return value;
  }

  /// An element of the array `key`, with the checks of integer().
  template <typename Integer>
  Integer to_integer(std::string_view key, const nlohmann::json& value,
                     Integer low = std::numeric_limits<Integer>::min()) const {
    if (!value.is_number_integer()) mistyped(key, value, "a whole number");
    constexpr auto kHigh = static_cast<std::uint64_t>(std::numeric_limits<Integer>::max());
    const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= kHigh
                                                 : std::in_range<Integer>(value.get<std::int64_t>());
    if (!fits || value.get<Integer>() < low) refuse(cat("field \"", key, "\" is out of range: ", value.dump()));
    return value.get<Integer>();
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorKind::kReconnect, cat(what_, ": ", reason));
  }

 private:
  [[noreturn]] void mistyped(std::string_view key, const nlohmann::json& value, const char* wanted) const {
    refuse(cat("field \"", key, "\" is ", value.type_name(), ", but must be ", wanted));
  }

  const nlohmann::json& object_;
  std::string what_;
};

/// Throws Error{kReconnect} where `text` is not JSON.
inline nlohmann::json parse_json(const std::string& text, const char* what) {
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded())
    throw Error(ErrorKind::kReconnect, cat(what, " is not JSON: \"", text.substr(0, 80), "\""));
  return parsed;
}

/// No spaces, keys sorted; bytes that are not UTF-8 become U+FFFD.
inline std::string dump_json(const nlohmann::json& object) {
  return object.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

}  // namespace kvmesh::wire::detail

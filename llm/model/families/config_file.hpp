#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::llm {

/// config.json, or an object inside it, with its path: every read names the file and the field where it fails.
class ConfigFile {
 public:
  ConfigFile(std::string path, nlohmann::json fields) : path_(std::move(path)), fields_(std::move(fields)) {}

  const std::string& path() const { return path_; }
  const nlohmann::json& fields() const { return fields_; }
  /// The field, or null where it is missing.
  const nlohmann::json& find(const std::string& name) const {
    static const nlohmann::json null;
    auto field = fields_.find(name);
    return field == fields_.end() ? null : *field;
  }
  bool has(const std::string& name) const { return !find(name).is_null(); }

  template <typename T>
  T get(const std::string& name) const {
    if (!has(name)) fail_input(path_, ": \"", name, "\" is missing");
    return convert<T>(name);
  }

  template <typename T>
  T get_or(const std::string& name, T value) const {
    return has(name) ? convert<T>(name) : value;
  }

  template <typename T>
  T positive(const std::string& name) const {
    const T value = get<T>(name);
    if (!(value > 0)) fail_input(path_, ": \"", name, "\" is ", find(name).dump(), "; it must be above 0");
    return value;
  }

  template <typename T>
  T positive_or(const std::string& name, T value) const {
    return has(name) ? positive<T>(name) : value;
  }

  /// A number of heads, rows, layers, positions: above 0 and small enough that products of two do not overflow.
  std::int64_t size(const std::string& name) const {
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    const auto value = positive<std::int64_t>(name);
    if (value > kMost) fail_input(path_, ": \"", name, "\" is ", value, "; no model is that large");
    return value;
  }
  std::int64_t size_or(const std::string& name, std::int64_t value) const { return has(name) ? size(name) : value; }

  /// An object inside, whose errors name both.
  ConfigFile inside(const std::string& name) const {
    const nlohmann::json& field = find(name);
    if (!field.is_object()) fail_input(path_, ": \"", name, "\" is ", field.dump(), "; it must be an object");
    return {path_ + ": \"" + name + "\"", field};
  }

 private:
  template <typename T>
  T convert(const std::string& name) const {
    const nlohmann::json& field = find(name);
    bool fits = std::is_same_v<T, bool>       ? field.is_boolean()
                : std::is_integral_v<T>       ? field.is_number_integer()
                : std::is_floating_point_v<T> ? field.is_number()
                                              : field.is_string();
    if (!fits) fail_input(path_, ": \"", name, "\" has the wrong type: ", field.dump());
    return field.get<T>();
  }

  std::string path_;
  nlohmann::json fields_;
};

}  // namespace kvmesh::llm

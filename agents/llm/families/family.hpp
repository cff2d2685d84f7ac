#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "agents/llm/config.hpp"
#include "base/error.hpp"

namespace kvmesh::llm {

/// config.json with its path: every read names the file and the field where it fails.
class ConfigFile {
 public:
  ConfigFile(std::string path, nlohmann::json fields) : path_(std::move(path)), fields_(std::move(fields)) {}

  const std::string& path() const { return path_; }
  /// The field, or null where it is missing.
  const nlohmann::json& find(const std::string& name) const {
    static const nlohmann::json null;
    auto field = fields_.find(name);
    return field == fields_.end() ? null : *field;
  }

  template <typename T>
  T get(const std::string& name) const {
    if (find(name).is_null()) fail_input(path_, ": \"", name, "\" is missing");
    return convert<T>(name);
  }

  template <typename T>
  T get_or(const std::string& name, T value) const {
    return find(name).is_null() ? value : convert<T>(name);
  }

  std::int64_t positive(const std::string& name) const {
    auto value = get<std::int64_t>(name);
    if (value <= 0) fail_input(path_, ": \"", name, "\" is ", value, "; it must be above 0");
    return value;
  }

 private:
  template <typename T>
  T convert(const std::string& name) const {
    const nlohmann::json& field = find(name);
    bool fits = std::is_same_v<T, bool>          ? field.is_boolean()
                : std::is_integral_v<T>          ? field.is_number_integer()
                : std::is_floating_point_v<T>    ? field.is_number()
                                                 : field.is_string();
    if (!fits) fail_input(path_, ": \"", name, "\" has the wrong type: ", field.dump());
    return field.get<T>();
  }

  std::string path_;
  nlohmann::json fields_;
};

/// Fields that every family of decoders spells alike: sizes, norm, RoPE, tied embeddings, dtype.
ModelConfig read_common_config(const ConfigFile& file);

/// A row of the family table in config.cpp.
struct Family {
  const char* architecture;  ///< as config.json's "architectures" names it
  ModelConfig (*read)(const ConfigFile& file);
};

ModelConfig read_llama_config(const ConfigFile& file);

}  // namespace kvmesh::llm

#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvcodec/wire/edge_options.hpp"

namespace kvmesh::orchestrator::detail {

/// One value of a topology file, with what messages about it say: where it stands and what it is. Its readers throw
/// Error{kFixInput}, "FILE:LINE: what is wrong; what to do".
class YamlValue {
 public:
  YamlValue(std::string file, std::string what, int line, YAML::Node node);

  int line() const { return line_; }
  const std::string& what() const { return what_; }
  std::string place() const;  ///< "FILE:LINE: what"
  [[noreturn]] void fail(const std::string& wrong, const std::string& fix) const;
  /// The same value under a better name.
  YamlValue called(std::string what) const { return YamlValue(file_, std::move(what), line_, node_); }

  bool is_map() const { return node_.IsMap(); }
  bool is_list() const { return node_.IsSequence(); }
  bool is_scalar() const { return node_.IsScalar(); }

  std::string text() const;  ///< a scalar, not empty
  std::string name() const;  ///< a text of letters, digits, '_', '-' and '.'
  bool boolean() const;      ///< true or false
  std::int64_t integer(const wire::WholeRange& range) const;
  std::uint64_t seed() const;  ///< a whole number from 0 to 2^64 - 1
  double number(const wire::NumberRange& range) const;
  std::vector<YamlValue> list() const;

  /// "a, b or c" chosen by its text.
  std::string one_of(const std::vector<std::string>& choices) const;

 private:
  friend class YamlFields;
  template <typename Number>
  Number parse(const std::string& wanted) const;
  YamlValue inner(std::string what, const YAML::Node& node) const;

  std::string file_;
  std::string what_;
  int line_;
  YAML::Node node_;
};

/// A mapping, read key by key. Refuses what is no mapping and a key that stands twice; refuse_others() the unknown.
class YamlFields {
 public:
  explicit YamlFields(YamlValue map);

  /// Refuses every key that `known` does not name, with the nearest of them.
  void refuse_others(const std::vector<std::string>& known) const;

  std::optional<YamlValue> find(const std::string& key) const;
  /// Throws where the key is missing; `fix` says how to add it.
  YamlValue get(const std::string& key, const std::string& fix) const;
  /// Every value with its key, in the file's order.
  const std::vector<std::pair<std::string, YamlValue>>& all() const { return all_; }
  const YamlValue& map() const { return map_; }

 private:
  YamlValue map_;
  std::vector<std::pair<std::string, YamlValue>> all_;
};

/// " (did you mean "layers"?)" for the name nearest to `text`, or nothing where none is near.
std::string did_you_mean(const std::string& text, const std::vector<std::string>& names);

/// "a, b and c".
std::string joined(const std::vector<std::string>& names, const std::string& last = " and ");

}  // namespace kvmesh::orchestrator::detail

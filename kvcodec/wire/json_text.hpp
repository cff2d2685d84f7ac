#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

/// JSON that people and other programs wrote: configuration files, tokenizers, records. Thread-safe.
namespace kvmesh::wire {

struct JsonPlace {
  std::string file;  ///< as messages name it: a path, or what the text is
  int line = 1;      ///< the number of the text's first line in that file
};

struct JsonRules {
  int max_depth = 128;  ///< arrays and objects inside each other
  /// Whole numbers that 64 bits cannot hold: true keeps their digits as a string, false refuses them. No double stands
  /// in for them, because it would be another number.
  bool big_numbers_as_text = false;
};

/// The one JSON value in `text`. Throws Error{kFixInput} that begins with "file:line:column: " and says what is wrong:
/// a syntax error, NaN or Infinity (which Python writes and JSON does not have), a key that stands twice in an object,
/// a number that a double cannot hold, or a break of `rules`. Memory grows with the text alone; nothing recurses.
nlohmann::json parse_json(std::string_view text, const JsonPlace& place, const JsonRules& rules = {});

/// The same, with the keys of objects in the order of the text.
nlohmann::ordered_json parse_ordered_json(std::string_view text, const JsonPlace& place, const JsonRules& rules = {});

}  // namespace kvmesh::wire

#include "kvcodec/wire/json_text.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace kvmesh::wire {
namespace {

/// Walks over the text and tells how far the parser has read, which nlohmann's SAX interface does not.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** read = nullptr;

  reference operator*() const { return *at; }
  Cursor& operator++() {
    *read = ++at;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at == other.at; }
};

[[noreturn]] void fail_at(std::string_view text, const JsonPlace& place, std::size_t offset, const std::string& what) {
  const std::string_view before = text.substr(0, offset);
  const auto line = place.line + std::count(before.begin(), before.end(), '\n');
  const auto line_start = before.rfind('\n');
  const std::size_t column = line_start == std::string_view::npos ? offset + 1 : offset - line_start;
  fail_input(place.file, ':', line, ':', column, ": ", what);
}

/// Builds the value from the parser's events. Containers on the way stand in a stack of pointers: a parent is never
/// added to while a child is open, so they stay valid.
template <typename Json>
class Builder {
 public:
  Builder(std::string_view text, const JsonPlace& place, const JsonRules& rules)
      : text_(text), place_(place), rules_(rules), read_(text.data()) {}

  Json parse() {
    Json::sax_parse(Cursor{text_.data(), &read_}, Cursor{text_.data() + text_.size(), &read_}, this);
    return std::move(root_);
  }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(typename Json::number_integer_t value) { return add(value); }
  bool number_unsigned(typename Json::number_unsigned_t value) { return add(value); }
  bool number_float(double value, const std::string& digits) {
    const bool whole = digits.find_first_of(".eE") == std::string::npos;
    if (!whole) return add(value);
    if (!rules_.big_numbers_as_text) fail(cat("the whole number ", digits, " is beyond 64 bits; write it as a string"));
    return add(digits);
  }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(typename Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    auto& object = open_.back()->template get_ref<typename Json::object_t&>();
    const auto [entry, is_new] = object.emplace(name, nullptr);
    if (!is_new) fail(cat("the key \"", name, "\" stands twice in one object; remove one of the two"));
    value_ = &entry->second;
    return true;
  }

  template <typename Exception>
  bool parse_error(std::size_t position, const std::string& token, const Exception& error) {
    const std::size_t offset = std::min(position > 0 ? position - 1 : 0, text_.size());
    const std::string what = error.what();
    if (what.find("out_of_range") != std::string::npos) fail(cat("the number ", token, " is beyond a double"));
    if (const std::string_view word = python_number_near(offset); !word.empty()) {
      fail_at(text_, place_, static_cast<std::size_t>(word.data() - text_.data()),
              cat(word, " is not JSON, though Python writes it; put a number or null there"));
    }
    // nlohmann's own words begin behind "[json.exception.parse_error.101] parse error at line 1, column 2: ".
    const auto begin = what.find(": ");
    fail_at(text_, place_, offset, cat("not JSON: ", begin == std::string::npos ? what : what.substr(begin + 2)));
  }

 private:
  template <typename Value>
  bool add(Value&& value) {
    place_value(Json(std::forward<Value>(value)));
    return true;
  }

  Json* place_value(Json&& value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) {
      auto& array = open_.back()->template get_ref<typename Json::array_t&>();
      return &array.emplace_back(std::move(value));
    }
    return &(*value_ = std::move(value));
  }

  bool open(Json&& container) {
    if (static_cast<int>(open_.size()) >= rules_.max_depth) {
      fail(cat("arrays and objects are nested more than ", rules_.max_depth, " deep"));
    }
    open_.push_back(place_value(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  [[noreturn]] void fail(const std::string& what) const {
    // The parser has read the last character of what it reports.
    const auto read = static_cast<std::size_t>(read_ - text_.data());
    fail_at(text_, place_, read > 0 ? read - 1 : 0, what);
  }

  /// NaN, Infinity or -Infinity where it covers the character at `offset`; else empty.
  std::string_view python_number_near(std::size_t offset) const {
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      const std::size_t first = offset >= word.size() ? offset - word.size() : 0;
      const std::size_t found = text_.find(word, first);
      if (found != std::string_view::npos && found <= offset) return text_.substr(found, word.size());
    }
    return {};
  }

  std::string_view text_;
  const JsonPlace& place_;
  const JsonRules& rules_;
  const char* read_;
  Json root_;
  std::vector<Json*> open_;
  Json* value_ = nullptr;  // of the key read last
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const JsonPlace& place, const JsonRules& rules) {
  return Builder<nlohmann::json>(text, place, rules).parse();
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const JsonPlace& place, const JsonRules& rules) {
  return Builder<nlohmann::ordered_json>(text, place, rules).parse();
}

}  // namespace kvmesh::wire

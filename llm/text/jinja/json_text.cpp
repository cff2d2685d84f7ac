#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "llm/text/jinja/text.hpp"
#include "llm/text/jinja/value.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm::jinja {
namespace {

std::string unicode_escape(char32_t unit) {
  char buffer[12];
  std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(unit));
  return buffer;
}

std::string escaped(char32_t character) {
  if (character < 0x10000) return unicode_escape(character);
  const char32_t rest = character - 0x10000;
  return unicode_escape(0xD800 + (rest >> 10)) + unicode_escape(0xDC00 + (rest & 0x3FF));
}

std::string json_string(std::string_view text, bool ascii_only) {
  std::string out = "\"";
  for (const char32_t character : text::characters(text)) {
    switch (character) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (character < 0x20 || (ascii_only && character >= 0x7F)) {
          out += escaped(character);
        } else {
          utf8::append(out, character);
        }
    }
  }
  return out + "\"";
}

class Writer {
 public:
  explicit Writer(const JsonStyle& style) : style_(style) {}

  std::string write(const Value& value) {
    if (value.is_none()) return "null";
    if (value.is_boolean()) return value.truthy() ? "true" : "false";
    if (value.is_integer() || value.is_float()) return value.repr();
    if (value.is_string()) return json_string(value.string(), style_.ascii_only);
    if (value.is_list()) return list(value.list());
    if (value.is_dict()) return dict(value.dict());
    throw TemplateError(cat("tojson cannot write ", value.kind()));
  }

 private:
  std::string list(const List& list) {
    ++depth_;
    std::vector<std::string> parts;
    for (const Value& item : list.items) parts.push_back(write(item));
    return framed(parts, '[', ']');
  }

  std::string dict(const Dict& dict) {
    ++depth_;
    auto entries = dict.entries;
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto& left, const auto& right) { return less(left.first, right.first); });
    }
    std::vector<std::string> parts;
    for (const auto& [key, value] : entries) {
      const std::string name = key.is_string() ? key.string() : write(key);
      parts.push_back(json_string(name, style_.ascii_only) + style_.key_separator + write(value));
    }
    return framed(parts, '{', '}');
  }

  std::string framed(const std::vector<std::string>& parts, char open, char close) {
    std::string out(1, open);
    for (std::size_t index = 0; index < parts.size(); ++index) {
      if (index > 0) out += style_.item_separator;
      out += line_break(depth_) + parts[index];
    }
    --depth_;
    if (!parts.empty()) out += line_break(depth_);
    return out + close;
  }

  std::string line_break(std::int64_t depth) const {
    if (!style_.indent) return "";
    std::string out = "\n";
    for (; depth > 0; --depth) out += *style_.indent;
    return out;
  }

  const JsonStyle& style_;
  std::int64_t depth_ = 0;
};

}  // namespace

std::string to_json(const Value& value, const JsonStyle& style) { return Writer(style).write(value); }

}  // namespace kvmesh::llm::jinja

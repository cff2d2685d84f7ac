#include <algorithm>
#include <cmath>
#include <cstdio>

#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"
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

/// As json.dumps has it: for ASCII alone, all but what ASCII prints.
bool needs_escape(std::string_view character, bool ascii_only) {
  const auto first = static_cast<unsigned char>(character.front());
  return first < 0x20 || (ascii_only && first >= 0x7F);
}

void append_string(TextBuilder& out, std::string_view text, bool ascii_only) {
  out.budget().read(text.size());
  out.append("\"");
  text::each_character(text, [&](std::string_view character) {
    switch (character.front()) {
      case '"': return out.append("\\\"");
      case '\\': return out.append("\\\\");
      case '\n': return out.append("\\n");
      case '\r': return out.append("\\r");
      case '\t': return out.append("\\t");
      case '\b': return out.append("\\b");
      case '\f': return out.append("\\f");
      default:
        if (needs_escape(character, ascii_only)) {
          out.append(escaped(utf8::decode(character)));
        } else {
          out.append(character);
        }
    }
  });
  out.append("\"");
}

/// What json.dumps writes for a float, which is not always JSON.
std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  return float_text(number);
}

class Writer {
 public:
  Writer(TextBuilder& out, const JsonStyle& style) : out_(out), style_(style) {}

  void write(const Value& value) {
    out_.budget().step();
    if (value.is_none()) return out_.append("null");
    if (value.is_boolean()) return out_.append(value.truthy() ? "true" : "false");
    if (value.is_integer()) return out_.append(std::to_string(value.integer()));
    if (value.is_float()) return out_.append(number_text(value.number()));
    if (value.is_string()) return append_string(out_, value.string(), style_.ascii_only);
    if (value.is_sequence()) return list(value.list());
    if (value.is_dict()) return dict(value.dict());
    refuse("tojson cannot write ", value.kind());
  }

 private:
  void list(const List& list) {
    out_.append("[");
    ++depth_;
    for (std::size_t index = 0; index < list.items.size(); ++index) {
      begin_item(index);
      write(list.items[index]);
    }
    end(list.items.empty());
    out_.append("]");
  }

  void dict(const Dict& dict) {
    const std::vector<const Entry*> entries = ordered(dict);
    out_.append("{");
    ++depth_;
    for (std::size_t index = 0; index < entries.size(); ++index) {
      begin_item(index);
      key(entries[index]->first);
      out_.append(style_.key_separator);
      write(entries[index]->second);
    }
    end(entries.empty());
    out_.append("}");
  }

  using Entry = std::pair<Value, Value>;

  std::vector<const Entry*> ordered(const Dict& dict) {
    std::vector<const Entry*> entries;
    for (const Entry& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(), [&](const Entry* left, const Entry* right) {
        return less(out_.budget(), left->first, right->first);
      });
    }
    return entries;
  }

  void key(const Value& key) {
    if (key.is_string()) return append_string(out_, key.string(), style_.ascii_only);
    if (!key.is_number() && !key.is_none()) refuse("tojson cannot write ", key.kind(), " as a key");
    out_.append("\"");
    write(key);
    out_.append("\"");
  }

  void begin_item(std::size_t index) {
    if (index > 0) out_.append(style_.item_separator);
    break_line();
  }
  void end(bool empty) {
    --depth_;
    if (!empty) break_line();
  }
  void break_line() {
    if (!style_.indent) return;
    out_.append("\n");
    out_.append_repeated(*style_.indent, depth_);
  }

  TextBuilder& out_;
  const JsonStyle& style_;
  std::size_t depth_ = 0;
};

}  // namespace

void print_json(TextBuilder& out, const Value& value, const JsonStyle& style) { Writer(out, style).write(value); }

}  // namespace kvmesh::llm::jinja

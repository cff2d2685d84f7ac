#include "llm/text/jinja/print.hpp"

#include <charconv>
#include <cmath>

#include "llm/text/jinja/object.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

class Printer {
 public:
  explicit Printer(TextBuilder& out) : out_(out) {}

  void repr(const Value& value) {
    out_.budget().step();
    if (value.is_undefined()) return out_.append("Undefined");
    if (value.is_none()) return out_.append("None");
    if (value.is_boolean()) return out_.append(value.truthy() ? "True" : "False");
    if (value.is_integer()) return out_.append(std::to_string(value.integer()));
    if (value.is_float()) return out_.append(float_text(value.number()));
    if (value.is_string()) return string(value);
    if (value.is_function()) return out_.append(cat("<function ", value.function().name, ">"));
    // Lists and mappings are only so deep, but a namespace may hold itself.
    if (++depth_ > Value::kDeepest) refuse("a value that holds others more than ", Value::kDeepest, " deep is printed");
    if (value.is_list()) list(value.list());
    if (value.is_dict()) dict(value.dict());
    if (value.is_object()) object(value.object());
    --depth_;
  }

 private:
  void string(const Value& value) {
    out_.budget().read(value.string().size());
    if (value.is_markup()) out_.append("Markup(");
    text::append_quoted(out_, value.string());
    if (value.is_markup()) out_.append(")");
  }

  void items(const std::vector<Value>& items) {
    for (std::size_t index = 0; index < items.size(); ++index) {
      if (index > 0) out_.append(", ");
      repr(items[index]);
    }
  }

  void framed(std::string_view open, const List& list, std::string_view close) {
    out_.append(open);
    items(list.items);
    out_.append(close);
  }

  void list(const List& list) {
    switch (list.kind) {
      case ListKind::kList: return framed("[", list, "]");
      case ListKind::kTuple:
      case ListKind::kGroup: return framed("(", list, list.items.size() == 1 ? ",)" : ")");
      case ListKind::kKeys: return framed("dict_keys([", list, "])");
      case ListKind::kValues: return framed("dict_values([", list, "])");
      case ListKind::kItems: return framed("dict_items([", list, "])");
      case ListKind::kGenerator: return out_.append("<generator object>");
      case ListKind::kRange:
        return out_.append(cat("range(", list.start, ", ", list.stop, list.step == 1 ? "" : cat(", ", list.step), ")"));
    }
  }

  void dict(const Dict& dict) {
    out_.append("{");
    for (std::size_t index = 0; index < dict.entries.size(); ++index) {
      if (index > 0) out_.append(", ");
      repr(dict.entries[index].first);
      out_.append(": ");
      repr(dict.entries[index].second);
    }
    out_.append("}");
  }

  void object(const Object& object) {
    if (!object.is_namespace()) return out_.append(cat("<", object.kind(), ">"));
    out_.append("<Namespace ");
    dict(object.names);
    out_.append(">");
  }

  TextBuilder& out_;
  int depth_ = 0;
};

}  // namespace

void print(TextBuilder& out, const Value& value) {
  if (value.is_undefined()) return;
  if (!value.is_string()) return print_repr(out, value);
  out.budget().step(value.string().size() / 256);
  out.append(value.string());
}

void print_repr(TextBuilder& out, const Value& value) { Printer(out).repr(value); }

std::string str(Budget& budget, const Value& value) {
  if (value.is_string()) return value.string();
  TextBuilder out(budget);
  print(out, value);
  return out.text();
}

std::string repr(Budget& budget, const Value& value) {
  TextBuilder out(budget);
  print_repr(out, value);
  return out.text();
}

Value as_string(Budget& budget, const Value& value) {
  if (value.is_string()) return value;
  TextBuilder out(budget);
  print(out, value);
  return out.take_value();
}

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[64];
  const double size = std::fabs(number);
  const bool plain = size == 0.0 || (size >= 1e-4 && size < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, number, format).ptr);
  return plain && text.find('.') == std::string::npos ? text + ".0" : text;
}

}  // namespace kvmesh::llm::jinja

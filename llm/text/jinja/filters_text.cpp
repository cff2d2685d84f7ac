#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/error.hpp"
#include "llm/text/jinja/filters.hpp"
#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

template <std::string (*kRecase)(std::string_view)>
Value recase(Context&, const Value& input, const Arguments& arguments) {
  Bound("upper, lower, title or capitalize", arguments, {});
  return kRecase(input.str());
}

Value trim(Context&, const Value& input, const Arguments& arguments) {
  const Value set = Bound("trim", arguments, {"chars"}).value("chars", nullptr);
  if (set.is_none()) return text::strip(input.str(), text::Side::kBoth);
  const std::string characters = set.str();
  return text::strip(input.str(), text::Side::kBoth, &characters);
}

Value replace(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  const Value count = bound.value("count", nullptr);
  return text::replace(input.str(), bound.need("old").str(), bound.need("new").str(),
                       count.is_none() ? -1 : static_cast<long>(count.integer()));
}

Value indent(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  const Value width = bound.value("width", std::int64_t{4});
  const std::string space =
      width.is_string() ? width.string()
                        : std::string(static_cast<std::size_t>(std::max<std::int64_t>(width.integer(), 0)), ' ');
  const bool blank = bound.flag("blank", false);
  const std::vector<std::string> lines = text::lines(input.str() + "\n");
  std::string out = bound.flag("first", false) ? space : "";
  for (std::size_t index = 0; index < lines.size(); ++index) {
    if (index > 0) out += "\n" + (blank || !lines[index].empty() ? space : "");
    out += lines[index];
  }
  return out;
}

Value tojson(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  const Value width = bound.value("indent", nullptr);
  if (!width.is_none()) {
    style.indent = width.is_string()
                       ? width.string()
                       : std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(width.integer(), 0, 64)), ' ');
    style.item_separator = ",";
  }
  const Value separators = bound.value("separators", nullptr);
  if (!separators.is_none()) {
    if (separators.length() != 2) throw TemplateError("'tojson' wants two separators");
    style.item_separator = separators.items()[0].str();
    style.key_separator = separators.items()[1].str();
  }
  style.sort_keys = bound.flag("sort_keys", false);
  style.ascii_only = bound.flag("ensure_ascii", false);
  return to_json(input, style);
}

Value escape(Context&, const Value& input, const Arguments&) {
  std::string out;
  for (const char byte : input.str()) {
    switch (byte) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += byte;
    }
  }
  return out;
}

Value to_float(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  if (input.is_number()) return input.number();
  const std::string text = text::strip(input.str(), text::Side::kBoth);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (!input.is_string() || text.empty() || *end != '\0') return bound.value("default", 0.0);
  return number;
}

Value to_int(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  if (input.is_integer() || input.is_boolean()) return input.integer();
  if (input.is_string()) {
    const std::string text = text::strip(input.string(), text::Side::kBoth);
    const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    std::int64_t number = 0;
    const auto [end, error] =
        std::from_chars(begin, text.data() + text.size(), number, static_cast<int>(bound.integer("base", 10)));
    if (error == std::errc() && end == text.data() + text.size()) return number;
  }
  const Value number = to_float(context, input, {{Value(nullptr)}, {}});
  if (number.is_none() || !(std::fabs(number.number()) < 9.2e18)) return bound.value("default", std::int64_t{0});
  return static_cast<std::int64_t>(number.number());
}

Value round_number(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const auto precision = static_cast<int>(std::clamp<std::int64_t>(bound.integer("precision", 0), -300, 300));
  const std::string method = bound.text("method", "common");
  const double number = input.number();
  if (method == "common" && input.is_integer() && precision >= 0) return input;
  if (method == "common" && precision >= 0) {
    std::array<char, 1024> text{};
    std::snprintf(text.data(), text.size(), "%.*f", precision, number);
    return std::strtod(text.data(), nullptr);
  }
  const double scale = std::pow(10.0, precision);
  if (method == "common" && input.is_integer())
    return static_cast<std::int64_t>(std::nearbyint(number * scale) / scale);
  if (method == "common") return std::nearbyint(number * scale) / scale;
  if (method == "ceil") return std::ceil(number * scale) / scale;
  if (method == "floor") return std::floor(number * scale) / scale;
  throw TemplateError(cat("'round' has no method '", method, "'"));
}

Value absolute(Context&, const Value& input, const Arguments&) {
  if (input.is_float()) return std::fabs(input.number());
  return input.integer() < 0 ? -input.integer() : input.integer();
}

Value format(Context&, const Value& input, const Arguments& arguments) {
  if (arguments.keyword.empty()) return format_percent(input.str(), Value::tuple(arguments.positional));
  auto names = std::make_shared<Dict>();
  for (const auto& [name, value] : arguments.keyword) names->set(name, value);
  return format_percent(input.str(), Value(std::move(names)));
}

Value word_count(Context&, const Value& input, const Arguments&) {
  return static_cast<std::int64_t>(text::split_words(input.str(), -1).size());
}

Value truncate(Context&, const Value& input, const Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::string end = bound.text("end", "...");
  const auto length = static_cast<std::size_t>(std::max<std::int64_t>(bound.integer("length", 255), 0));
  const auto leeway = static_cast<std::size_t>(std::max<std::int64_t>(bound.integer("leeway", 5), 0));
  const std::u32string all = text::characters(input.str());
  if (all.size() <= length + leeway) return input.str();
  const std::size_t tail = text::characters(end).size();
  const std::string kept = text::utf8_of(std::u32string_view(all).substr(0, length > tail ? length - tail : 0));
  const std::size_t space = kept.rfind(' ');
  if (bound.flag("killwords", false) || space == std::string::npos) return kept + end;
  return kept.substr(0, space) + end;
}

Value center(Context&, const Value& input, const Arguments& arguments) {
  const std::int64_t width =
      std::clamp<std::int64_t>(Bound("center", arguments, {"width"}).integer("width", 80), 0, kWidestFormat);
  return padded(input.str(), {.align = '^', .width = static_cast<std::size_t>(width)});
}

Value url_encode(Context&, const Value& input, const Arguments&) {
  if (!input.is_string()) throw TemplateError(cat("'urlencode' wants a string, found ", input.kind()));
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char byte : input.string()) {
    const auto value = static_cast<unsigned char>(byte);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       std::string_view("-_.~/").find(byte) != std::string_view::npos;
    if (plain) {
      out += byte;
    } else {
      out += '%';
      out += kDigits[value / 16];
      out += kDigits[value % 16];
    }
  }
  return out;
}

}  // namespace

const Filters& text_filters() {
  static const Filters kFilters{
      {"upper", recase<text::upper>},
      {"lower", recase<text::lower>},
      {"title", recase<text::title_words>},
      {"capitalize", recase<text::capitalize>},
      {"trim", trim},
      {"replace", replace},
      {"indent", indent},
      {"tojson", tojson},
      {"string", [](Context&, const Value& input, const Arguments&) { return Value(input.str()); }},
      {"safe", [](Context&, const Value& input, const Arguments&) { return Value(input.str()); }},
      {"escape", escape},
      {"e", escape},
      {"forceescape", escape},
      {"int", to_int},
      {"float", to_float},
      {"round", round_number},
      {"abs", absolute},
      {"format", format},
      {"wordcount", word_count},
      {"truncate", truncate},
      {"center", center},
      {"urlencode", url_encode},
  };
  return kFilters;
}

}  // namespace kvmesh::llm::jinja

#include <algorithm>

#include "llm/text/jinja/filters.hpp"
#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/markup.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

/// Markup stays markup where `kKeepsMarkup`.
template <std::string (*kRecase)(std::string_view), bool kKeepsMarkup>
Value recase(Context& context, const Value& input, const Arguments& arguments) {
  const Bound none("upper, lower, title or capitalize", arguments, {});
  return Value(context.budget(), kRecase(str(context.budget(), input)), kKeepsMarkup && input.is_markup());
}

Value trim(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  const Value text = as_string(context.budget(), input);
  const bool white = bound.value("chars", nullptr).is_none();
  const std::string set = white ? "" : bound.text("chars", "");
  return Value(context.budget(), std::string(text::strip(text.string(), text::Side::kBoth, white ? nullptr : &set)),
               input.is_markup());
}

Value replace(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  const std::string from = str(context.budget(), bound.need("old"));
  const std::string to = str(context.budget(), bound.need("new"));
  const Value count = bound.value("count", nullptr);
  TextBuilder out(context.budget());
  text::append_replaced(out, str(context.budget(), input), from, to,
                        count.is_none() ? -1 : static_cast<long>(count.integer()));
  return out.take_value();
}

Value indent(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  if (!input.is_string()) refuse("'indent' wants a string, found ", input.kind());
  Value width = bound.value("width", std::int64_t{4});
  // Of markup, `width` as text is taken to be markup, too.
  const std::string_view space = width.is_string() ? std::string_view(width.string()) : " ";
  const std::size_t times = width.is_string() ? 1 : bound.count("width", 4);
  const bool blank = bound.flag("blank", false);
  const std::string whole = input.string() + "\n";
  const std::vector<std::string_view> lines = text::lines(whole);
  TextBuilder out(context.budget());
  for (std::size_t index = 0; index < lines.size(); ++index) {
    if (index > 0) out.append("\n");
    if (index == 0 ? bound.flag("first", false) : blank || !lines[index].empty()) out.append_repeated(space, times);
    out.append(lines[index]);
  }
  return out.take_value(input.is_markup());
}

Value tojson(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  constexpr std::size_t kWidest = 1000;
  JsonStyle style;
  const Value width = bound.value("indent", nullptr);
  if (!width.is_none()) {
    const std::size_t spaces = width.is_string() ? 0 : bound.count("indent", 0);
    if (spaces > kWidest) refuse("'tojson' cannot indent by ", spaces, " spaces; ", kWidest, " is the most");
    style.indent = width.is_string() ? width.string() : std::string(spaces, ' ');
    style.item_separator = ",";
  }
  const Value separators = bound.value("separators", nullptr);
  if (!separators.is_none()) {
    const std::vector<Value> two = separators.items(context.budget());
    if (two.size() != 2 || !two[0].is_string() || !two[1].is_string()) refuse("'tojson' wants two separators");
    style.item_separator = two[0].string();
    style.key_separator = two[1].string();
  }
  style.sort_keys = bound.flag("sort_keys", false);
  style.ascii_only = bound.flag("ensure_ascii", false);
  TextBuilder out(context.budget());
  print_json(out, input, style);
  return out.take_value();
}

Value escape(Context& context, const Value& input, const Arguments&) { return escaped(context.budget(), input); }

Value force_escape(Context& context, const Value& input, const Arguments&) {
  TextBuilder out(context.budget());
  text::append_escaped(out, str(context.budget(), input));
  return out.take_value(/*is_markup=*/true);
}

Value safe(Context& context, const Value& input, const Arguments&) {
  return as_markup(context.budget(), as_string(context.budget(), input));
}

Value to_string(Context& context, const Value& input, const Arguments&) { return as_string(context.budget(), input); }

Value format(Context& context, const Value& input, const Arguments& arguments) {
  Budget& budget = context.budget();
  const Value text = as_string(budget, input);
  if (arguments.keyword.empty()) return format_percent(budget, text, Value::tuple(budget, arguments.positional));
  if (!arguments.positional.empty()) refuse("'format' takes arguments either with names or without");
  Dict names;
  for (const auto& [name, value] : arguments.keyword) names.set(budget, Value(budget, name), value);
  return format_percent(budget, text, Value(budget, std::move(names)));
}

Value word_count(Context& context, const Value& input, const Arguments&) {
  std::int64_t words = 0;
  bool inside = false;
  text::each_character(str(context.budget(), input), [&](std::string_view character) {
    const char32_t code = utf8::decode(character);
    const bool now = code == '_' || text::is_letter(code) || text::is_numeric(code);
    words += now && !inside ? 1 : 0;
    inside = now;
  });
  return words;
}

Value truncate(Context& context, const Value& input, const Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::string end = bound.text("end", "...");
  const std::int64_t length = bound.integer("length", 255);
  const std::int64_t leeway = bound.value("leeway", nullptr).is_none() ? 5 : bound.integer("leeway", 5);
  const auto tail = static_cast<std::int64_t>(text::count_characters(end));
  if (length < tail) refuse("'truncate' to ", length, " characters leaves no room for the end \"", end, "\"");
  if (leeway < 0) refuse("the leeway of 'truncate' is below 0");
  const std::int64_t all = input.length();
  if (all <= length || all - length <= leeway) return input;  // a list, too
  if (!input.is_string()) refuse("'truncate' wants a string, found ", input.kind());
  std::string_view kept = input.string();
  kept = kept.substr(0, text::place_of(kept, static_cast<std::size_t>(length - tail)));
  if (!bound.flag("killwords", false)) kept = kept.substr(0, kept.rfind(' '));
  TextBuilder out(context.budget());
  out.append(kept);
  if (input.is_markup()) text::append_escaped(out, end);
  else out.append(end);
  return out.take_value(input.is_markup());
}

Value center(Context& context, const Value& input, const Arguments& arguments) {
  const std::size_t width = Bound("center", arguments, {"width"}).count("width", 80);
  TextBuilder out(context.budget());
  append_padded(out, str(context.budget(), input), {.align = 'c', .width = width});
  return out.take_value(input.is_markup());
}

void append_url(TextBuilder& out, std::string_view text, bool in_query) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       std::string_view("-_.~").find(byte) != std::string_view::npos || (byte == '/' && !in_query);
    if (plain) {
      out.append({&byte, 1});
    } else if (byte == ' ' && in_query) {
      out.append("+");
    } else {
      const char escape[] = {'%', kDigits[value / 16], kDigits[value % 16]};
      out.append({escape, sizeof escape});
    }
  }
}

Value url_encode(Context& context, const Value& input, const Arguments& arguments) {
  const Bound none("urlencode", arguments, {});
  Budget& budget = context.budget();
  TextBuilder out(budget);
  if (!input.is_dict() && !input.is_list()) {
    append_url(out, str(budget, input), /*in_query=*/false);
    return out.take_value();
  }
  const auto add = [&](const Value& key, const Value& value) {
    if (!out.text().empty()) out.append("&");
    append_url(out, str(budget, key), /*in_query=*/true);
    out.append("=");
    append_url(out, str(budget, value), /*in_query=*/true);
  };
  if (input.is_dict()) {
    for (const auto& [key, value] : input.dict().entries) add(key, value);
    return out.take_value();
  }
  for (const Value& pair : input.items(budget)) {
    const std::vector<Value> parts = pair.items(budget);
    if (parts.size() != 2) refuse("'urlencode' wants pairs, found ", pair.kind());
    add(parts[0], parts[1]);
  }
  return out.take_value();
}

}  // namespace

const Filters& text_filters() {
  static const Filters kFilters{
      {"upper", recase<text::upper, true>},
      {"lower", recase<text::lower, true>},
      {"title", recase<text::title_words, false>},
      {"capitalize", recase<text::capitalize, true>},
      {"trim", trim},
      {"replace", replace},
      {"indent", indent},
      {"tojson", tojson},
      {"string", to_string},
      {"safe", safe},
      {"escape", escape},
      {"e", escape},
      {"forceescape", force_escape},
      {"format", format},
      {"wordcount", word_count},
      {"truncate", truncate},
      {"center", center},
      {"urlencode", url_encode},
  };
  return kFilters;
}

}  // namespace kvmesh::llm::jinja

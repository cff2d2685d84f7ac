#include <algorithm>

#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/markup.hpp"
#include "llm/text/jinja/methods.hpp"
#include "llm/text/jinja/operators.hpp"
#include "llm/text/jinja/print.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

Value texts(Context& context, const std::vector<std::string_view>& parts, ListKind kind = ListKind::kList) {
  context.budget().need_room(parts.size(), Value::kItemBytes);
  std::vector<Value> items;
  for (const std::string_view part : parts) items.emplace_back(context.budget(), std::string(part));
  return Value::list(context.budget(), std::move(items), kind);
}

/// An argument that has to be text.
std::string text_of(const Bound& bound, const std::string& name) {
  bound.need(name);
  return bound.text(name, "");
}

template <text::Side kSide>
Value strip(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound("strip", arguments, {"chars"});
  if (bound.value("chars", nullptr).is_none()) {
    return Value(context.budget(), std::string(text::strip(self.string(), kSide)));
  }
  const std::string set = bound.text("chars", "");
  return Value(context.budget(), std::string(text::strip(self.string(), kSide, &set)));
}

template <bool kFromRight>
Value split(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const auto most = static_cast<long>(bound.integer("maxsplit", -1));
  if (bound.value("sep", nullptr).is_none()) {
    return texts(context, kFromRight ? text::split_words_from_right(self.string(), most)
                                     : text::split_words(self.string(), most));
  }
  const std::string by = bound.text("sep", "");
  if (by.empty()) refuse("'split' needs a separator that is not empty");
  return texts(context,
               kFromRight ? text::split_from_right(self.string(), by, most) : text::split(self.string(), by, most));
}

/// (before, separator, after) around its first place, or its last.
template <bool kLast>
Value partition(Context& context, const Value& self, const Arguments& arguments) {
  const std::string_view whole = self.string();
  const std::string by = text_of(Bound("partition", arguments, {"sep"}), "sep");
  if (by.empty()) refuse("'partition' needs a separator that is not empty");
  const std::size_t at = kLast ? text::find_last(whole, by) : text::find(whole, by);
  if (at == std::string::npos) {
    return kLast ? texts(context, {"", "", whole}, ListKind::kTuple)
                 : texts(context, {whole, "", ""}, ListKind::kTuple);
  }
  return texts(context, {whole.substr(0, at), by, whole.substr(at + by.size())}, ListKind::kTuple);
}

Value split_lines(Context& context, const Value& self, const Arguments& arguments) {
  const bool keep_ends = Bound("splitlines", arguments, {"keepends"}).flag("keepends", false);
  return texts(context, text::lines(self.string(), keep_ends));
}

/// The part of a text that the arguments "start" and "end" of a search leave, in bytes.
struct Searched {
  std::string_view part;
  std::size_t from = 0;     ///< where it starts, in bytes
  bool is_outside = false;  ///< `start` lies behind the end: even an empty text is not there
};
Searched searched(const Value& self, const Bound& bound) {
  const std::string_view whole = self.string();
  if (!bound.has("start") && !bound.has("end")) return {whole};
  const std::int64_t length = self.length();
  const auto place = [&](const char* name, std::int64_t missing) {
    if (bound.value(name, nullptr).is_none()) return missing;
    const std::int64_t at = bound.integer(name, 0);
    return at < 0 ? std::max<std::int64_t>(std::max(at, -length) + length, 0) : at;
  };
  const std::int64_t start = place("start", 0);
  const std::int64_t end = std::min(place("end", length), length);
  if (start > end) return {{}, whole.size(), true};
  const std::size_t from = text::place_of(whole, static_cast<std::size_t>(start));
  const std::size_t size = text::place_of(whole.substr(from), static_cast<std::size_t>(end - start));
  return {whole.substr(from, size), from};
}

template <bool kAtStart>
Value has_end(Context&, const Value& self, const Arguments& arguments) {
  const Bound bound(kAtStart ? "startswith" : "endswith", arguments, {"part", "start", "end"});
  const Searched text = searched(self, bound);
  const auto matches = [&](const Value& part) {
    if (!part.is_string()) refuse("'startswith' and 'endswith' want a string, found ", part.kind());
    if (text.is_outside) return false;
    return kAtStart ? text.part.starts_with(part.string()) : text.part.ends_with(part.string());
  };
  const Value part = bound.need("part");
  if (!part.is(ListKind::kTuple)) return matches(part);
  return std::any_of(part.list().items.begin(), part.list().items.end(), matches);
}

template <bool kAtStart>
Value remove_end(Context& context, const Value& self, const Arguments& arguments) {
  const std::string part = text_of(Bound("removeprefix", arguments, {"part"}), "part");
  const std::string& text = self.string();
  if (!(kAtStart ? text.starts_with(part) : text.ends_with(part))) return self;
  return Value(context.budget(), text.substr(kAtStart ? part.size() : 0, text.size() - part.size()));
}

Value replace(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  const std::string from = text_of(bound, "old");
  std::string to = text_of(bound, "new");
  if (self.is_markup()) to = escaped(context.budget(), bound.need("new")).string();
  TextBuilder out(context.budget());
  text::append_replaced(out, self.string(), from, to, static_cast<long>(bound.integer("count", -1)));
  return out.take_value();
}

/// In characters; -1 if it is not there.
template <bool kFromRight>
Value find(Context&, const Value& self, const Arguments& arguments) {
  const Bound bound("find", arguments, {"sub", "start", "end"});
  const std::string part = text_of(bound, "sub");
  const Searched text = searched(self, bound);
  const std::size_t at = kFromRight ? text::find_last(text.part, part) : text::find(text.part, part);
  if (text.is_outside || at == std::string::npos) return std::int64_t{-1};
  return static_cast<std::int64_t>(text::count_characters(std::string_view(self.string()).substr(0, text.from + at)));
}

template <bool kFromRight>
Value index(Context& context, const Value& self, const Arguments& arguments) {
  const Value at = find<kFromRight>(context, self, arguments);
  if (at.integer() < 0) refuse("what 'index' looks for is not in the string");
  return at;
}

Value count(Context&, const Value& self, const Arguments& arguments) {
  const Bound bound("count", arguments, {"sub", "start", "end"});
  const std::string what = text_of(bound, "sub");
  const Searched text = searched(self, bound);
  if (text.is_outside) return std::int64_t{0};
  return static_cast<std::int64_t>(what.empty() ? text::count_characters(text.part) + 1 : text::count(text.part, what));
}

Value join(Context& context, const Value& self, const Arguments& arguments) {
  Budget& budget = context.budget();
  TextBuilder out(budget);
  const std::vector<Value> items = Bound("join", arguments, {"items"}).need("items").items(budget);
  for (std::size_t index = 0; index < items.size(); ++index) {
    if (!items[index].is_string() && !self.is_markup()) refuse("'join' wants strings, found ", items[index].kind());
    if (index > 0) out.append(self.string());
    out.append(self.is_markup() ? escaped(budget, items[index]).string() : items[index].string());
  }
  return out.take_value();
}

/// ljust, rjust and center are the alignments of a format.
template <char kAlign>
Value justify(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound("ljust, rjust or center", arguments, {"width", "fillchar"});
  bound.need("width");
  Value fill = bound.value("fillchar", Value::constant(" "));
  if (self.is_markup()) fill = escaped(context.budget(), fill);
  if (!fill.is_string() || fill.length() != 1) refuse("the fill character must be one character");
  TextBuilder out(context.budget());
  append_padded(out, self.string(),
                {.fill = utf8::decode(fill.string()), .align = kAlign, .width = bound.count("width", 0)});
  return out.take_value();
}

Value zero_fill(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound("zfill", arguments, {"width"});
  bound.need("width");
  TextBuilder out(context.budget());
  append_padded(out, self.string(), {.fill = U'0', .align = '=', .width = bound.count("width", 0)});
  return out.take_value();
}

Value expand_tabs(Context& context, const Value& self, const Arguments& arguments) {
  const std::size_t width = Bound("expandtabs", arguments, {"tabsize"}).count("tabsize", 8);
  TextBuilder out(context.budget());
  std::size_t column = 0;
  text::each_character(self.string(), [&](std::string_view character) {
    if (character == "\t") {
      const std::size_t missing = width == 0 ? 0 : width - column % width;
      out.append_repeated(" ", missing);
      column += missing;
    } else {
      out.append(character);
      column = character == "\n" || character == "\r" ? 0 : column + 1;
    }
  });
  return out.take_value();
}

Value format(Context& context, const Value& self, const Arguments& arguments) {
  return format_braces(context, self, arguments);
}

template <std::string (*kRecase)(std::string_view)>
Value recase(Context& context, const Value& self, const Arguments& arguments) {
  const Bound none("upper, lower, title or capitalize", arguments, {});
  return Value(context.budget(), kRecase(self.string()));
}

template <bool (*kIs)(char32_t)>
Value all(Context&, const Value& self, const Arguments& arguments) {
  const Bound none("isdigit and its like", arguments, {});
  return text::all_of(self.string(), kIs);
}

bool is_letter_or_digit(char32_t character) { return text::is_letter(character) || text::is_numeric(character); }

/// What is true of an empty text, too.
template <bool (*kIs)(char32_t)>
Value none_other(Context&, const Value& self, const Arguments&) {
  return self.string().empty() || text::all_of(self.string(), kIs);
}

bool is_ascii(char32_t character) { return character < 0x80; }

/// Is every letter as `kRecase` writes it, and is there one that `kOther` would change.
template <std::string (*kRecase)(std::string_view), std::string (*kOther)(std::string_view)>
Value is_cased(Context&, const Value& self, const Arguments&) {
  return kRecase(self.string()) == self.string() && kOther(self.string()) != self.string();
}

}  // namespace

const Methods& string_methods() {
  static const Methods kMethods{
      {"strip", strip<text::Side::kBoth>},
      {"lstrip", strip<text::Side::kLeft>},
      {"rstrip", strip<text::Side::kRight>},
      {"split", split<false>},
      {"rsplit", split<true>},
      {"partition", partition<false>},
      {"rpartition", partition<true>},
      {"splitlines", split_lines},
      {"startswith", has_end<true>},
      {"endswith", has_end<false>},
      {"removeprefix", remove_end<true>},
      {"removesuffix", remove_end<false>},
      {"replace", replace},
      {"find", find<false>},
      {"rfind", find<true>},
      {"index", index<false>},
      {"rindex", index<true>},
      {"count", count},
      {"join", join},
      {"format", format},
      {"ljust", justify<'<'>},
      {"rjust", justify<'>'>},
      {"center", justify<'c'>},
      {"zfill", zero_fill},
      {"expandtabs", expand_tabs},
      {"upper", recase<text::upper>},
      {"lower", recase<text::lower>},
      {"casefold", recase<text::fold_case>},
      {"swapcase", recase<text::swap_case>},
      {"title", recase<text::title>},
      {"capitalize", recase<text::capitalize>},
      {"isdigit", all<text::is_digit>},
      {"isdecimal", all<text::is_decimal>},
      {"isnumeric", all<text::is_numeric>},
      {"isalpha", all<text::is_letter>},
      {"isalnum", all<is_letter_or_digit>},
      {"isspace", all<text::is_space>},
      {"isascii", none_other<is_ascii>},
      {"isprintable", none_other<text::is_printable>},
      {"isupper", is_cased<text::upper, text::lower>},
      {"islower", is_cased<text::lower, text::upper>},
      {"istitle", is_cased<text::title, text::swap_case>},
  };
  return kMethods;
}

}  // namespace kvmesh::llm::jinja

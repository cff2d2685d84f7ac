#include <algorithm>

#include "base/error.hpp"
#include "llm/text/jinja/format.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/methods.hpp"
#include "llm/text/jinja/operators.hpp"
#include "llm/text/jinja/text.hpp"

namespace kvmesh::llm::jinja {
namespace {

Value texts(std::vector<std::string> parts) {
  std::vector<Value> items;
  for (std::string& part : parts) items.emplace_back(std::move(part));
  return Value::list(std::move(items));
}

template <text::Side kSide>
Value strip(const Value& self, const Arguments& arguments) {
  const Value set = Bound("strip", arguments, {"chars"}).value("chars", nullptr);
  if (set.is_none()) return text::strip(self.string(), kSide);
  if (!set.is_string()) throw TemplateError(cat("'strip' wants a string, found ", set.kind()));
  return text::strip(self.string(), kSide, &set.string());
}

template <bool kFromRight>
Value split(const Value& self, const Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const auto most = static_cast<long>(bound.integer("maxsplit", -1));
  if (bound.value("sep", nullptr).is_none()) {
    return texts(kFromRight ? text::split_words_from_right(self.string(), most)
                            : text::split_words(self.string(), most));
  }
  const std::string by = bound.text("sep", "");
  if (by.empty()) throw TemplateError("'split' needs a separator that is not empty");
  return texts(kFromRight ? text::split_from_right(self.string(), by, most) : text::split(self.string(), by, most));
}

/// (before, separator, after) around its first place, or its last.
template <bool kLast>
Value partition(const Value& self, const Arguments& arguments) {
  const std::string& whole = self.string();
  const std::string by = Bound("partition", arguments, {"sep"}).text("sep", "");
  if (by.empty()) throw TemplateError("'partition' needs a separator that is not empty");
  const std::size_t at = kLast ? whole.rfind(by) : whole.find(by);
  if (at == std::string::npos) return kLast ? Value::tuple({"", "", whole}) : Value::tuple({whole, "", ""});
  return Value::tuple({whole.substr(0, at), by, whole.substr(at + by.size())});
}

Value split_lines(const Value& self, const Arguments& arguments) {
  return texts(text::lines(self.string(), Bound("splitlines", arguments, {"keepends"}).flag("keepends", false)));
}

/// The part of `self` that the arguments "start" and "end" of a search leave.
Value searched(const Value& self, const Bound& bound) {
  if (!bound.has("start") && !bound.has("end")) return self;
  return slice(self, bound.value("start", nullptr), bound.value("end", nullptr), nullptr);
}

template <bool kAtStart>
Value has_end(const Value& self, const Arguments& arguments) {
  const Bound bound(kAtStart ? "startswith" : "endswith", arguments, {"part", "start", "end"});
  const std::string text = searched(self, bound).string();
  const auto matches = [&](const Value& part) {
    if (!part.is_string()) throw TemplateError(cat("'startswith' and 'endswith' want a string, found ", part.kind()));
    return kAtStart ? text.starts_with(part.string()) : text.ends_with(part.string());
  };
  const Value part = bound.need("part");
  if (!part.is_list()) return matches(part);
  return std::any_of(part.list().items.begin(), part.list().items.end(), matches);
}

template <bool kAtStart>
Value remove_end(const Value& self, const Arguments& arguments) {
  const std::string part = Bound("removeprefix", arguments, {"part"}).need("part").str();
  const std::string& text = self.string();
  if (!(kAtStart ? text.starts_with(part) : text.ends_with(part))) return self;
  return text.substr(kAtStart ? part.size() : 0, text.size() - part.size());
}

Value replace(const Value& self, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  bound.need("new");
  return text::replace(self.string(), bound.text("old", ""), bound.text("new", ""),
                       static_cast<long>(bound.integer("count", -1)));
}

/// In characters; -1 if it is not there.
template <bool kFromRight>
Value find(const Value& self, const Arguments& arguments) {
  const Bound bound("find", arguments, {"sub", "start", "end"});
  const std::string part = bound.need("sub").str();
  const std::string text = searched(self, bound).string();
  const std::size_t at = kFromRight ? text.rfind(part) : text.find(part);
  if (at == std::string::npos) return std::int64_t{-1};
  const std::int64_t start = bound.integer("start", 0);
  const std::int64_t before = start < 0 ? std::max<std::int64_t>(start + self.length(), 0) : start;
  return before + static_cast<std::int64_t>(text::characters(std::string_view(text).substr(0, at)).size());
}

template <bool kFromRight>
Value index(const Value& self, const Arguments& arguments) {
  const Value at = find<kFromRight>(self, arguments);
  if (at.integer() < 0) throw TemplateError(cat(arguments.positional.front().repr(), " is not in the string"));
  return at;
}

Value count(const Value& self, const Arguments& arguments) {
  const std::string what = Bound("count", arguments, {"sub"}).need("sub").str();
  if (what.empty()) return self.length() + 1;
  return static_cast<std::int64_t>(text::split(self.string(), what, -1).size()) - 1;
}

Value join(const Value& self, const Arguments& arguments) {
  std::string out;
  const std::vector<Value> items = Bound("join", arguments, {"items"}).need("items").items();
  for (std::size_t index = 0; index < items.size(); ++index) {
    if (!items[index].is_string()) throw TemplateError(cat("'join' wants strings, found ", items[index].kind()));
    out += (index == 0 ? "" : self.string()) + items[index].string();
  }
  return out;
}

/// ljust, rjust and center are the alignments of a format.
template <char kAlign>
Value justify(const Value& self, const Arguments& arguments) {
  const Bound bound("ljust, rjust or center", arguments, {"width", "fillchar"});
  const std::u32string fill = text::characters(bound.text("fillchar", " "));
  if (fill.size() != 1) throw TemplateError("the fill character must be one character");
  const std::int64_t width = std::clamp<std::int64_t>(bound.need("width").integer(), 0, kWidestFormat);
  return padded(self.string(), {.fill = fill.front(), .align = kAlign, .width = static_cast<std::size_t>(width)});
}

Value zero_fill(const Value& self, const Arguments& arguments) {
  const std::int64_t width =
      std::clamp<std::int64_t>(Bound("zfill", arguments, {"width"}).need("width").integer(), 0, kWidestFormat);
  return padded(self.string(), {.fill = U'0', .align = '=', .width = static_cast<std::size_t>(width)});
}

Value format(const Value& self, const Arguments& arguments) { return format_braces(self.string(), arguments); }

template <std::string (*kRecase)(std::string_view)>
Value recase(const Value& self, const Arguments& arguments) {
  Bound("upper, lower, title or capitalize", arguments, {});
  return kRecase(self.string());
}

template <bool (*kIs)(char32_t)>
Value all(const Value& self, const Arguments&) {
  return text::all_of(self.string(), kIs);
}

bool is_letter_or_digit(char32_t character) { return text::is_letter(character) || text::is_numeric(character); }
bool is_white(char32_t character) { return text::strip(text::utf8_of({&character, 1}), text::Side::kBoth).empty(); }

/// Is every letter as `kRecase` writes it, and is there one that `kOther` would change.
template <std::string (*kRecase)(std::string_view), std::string (*kOther)(std::string_view)>
Value is_cased(const Value& self, const Arguments&) {
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
      {"center", justify<'^'>},
      {"zfill", zero_fill},
      {"upper", recase<text::upper>},
      {"lower", recase<text::lower>},
      {"casefold", recase<text::lower>},
      {"swapcase", recase<text::swap_case>},
      {"title", recase<text::title>},
      {"capitalize", recase<text::capitalize>},
      {"isdigit", all<text::is_digit>},
      {"isdecimal", all<text::is_digit>},
      {"isnumeric", all<text::is_numeric>},
      {"isalpha", all<text::is_letter>},
      {"isalnum", all<is_letter_or_digit>},
      {"isspace", all<is_white>},
      {"isupper", is_cased<text::upper, text::lower>},
      {"islower", is_cased<text::lower, text::upper>},
      {"istitle", is_cased<text::title, text::swap_case>},
  };
  return kMethods;
}

}  // namespace kvmesh::llm::jinja

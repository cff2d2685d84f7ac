#include "llm/text/tokenizer/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>

#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm::unicode {
namespace {

/// Characters from `first` up to the next run's.
struct Run {
  char32_t first;
  std::uint8_t category;
  std::uint8_t script;
};

/// Every `step`th character from `first` to `last` has its small form `add` further on.
struct LowerRun {
  char32_t first;
  char32_t last;
  std::uint8_t step;
  std::int32_t add;
};

#include "llm/text/tokenizer/unicode_table.inc"

/// The long names of general categories, in the order of Category.
constexpr std::array<std::string_view, 30> kCategories{"uppercaseletter",    "lowercaseletter",  "titlecaseletter",
                                                       "modifierletter",     "otherletter",      "nonspacingmark",
                                                       "spacingmark",        "enclosingmark",    "decimalnumber",
                                                       "letternumber",       "othernumber",      "connectorpunctuation",
                                                       "dashpunctuation",    "openpunctuation",  "closepunctuation",
                                                       "initialpunctuation", "finalpunctuation", "otherpunctuation",
                                                       "mathsymbol",         "currencysymbol",   "modifiersymbol",
                                                       "othersymbol",        "spaceseparator",   "lineseparator",
                                                       "paragraphseparator", "control",          "format",
                                                       "surrogate",          "privateuse",       "unassigned"};
constexpr std::string_view kShort = "lullltlmlomnmcmendnlnopcpdpspepipfposmscsksozszlzpcccfcscocn";
static_assert(kShort.size() == 2 * kCategories.size());

const Run& run_of(char32_t character) {
  const auto* next = std::upper_bound(std::begin(kRuns), std::end(kRuns), character,
                                      [](char32_t value, const Run& run) { return value < run.first; });
  return *(next - 1);
}

bool is_in(std::span<const Range> set, char32_t character) {
  const auto next = std::upper_bound(set.begin(), set.end(), character,
                                     [](char32_t value, const Range& range) { return value < range.first; });
  return next != set.begin() && character <= (next - 1)->last;
}

constexpr std::uint32_t bit(Category category) { return 1U << static_cast<unsigned>(category); }
constexpr std::uint32_t bits(Category first, Category last) { return 2 * bit(last) - bit(first); }

constexpr std::uint32_t kLetters = bits(Category::kLu, Category::kLo);
constexpr std::uint32_t kMarks = bits(Category::kMn, Category::kMe);
constexpr std::uint32_t kNumbers = bits(Category::kNd, Category::kNo);
constexpr std::uint32_t kPunctuation = bits(Category::kPc, Category::kPo);
constexpr std::uint32_t kSymbols = bits(Category::kSm, Category::kSo);
constexpr std::uint32_t kSeparators = bits(Category::kZs, Category::kZp);
constexpr std::uint32_t kOthers = bits(Category::kCc, Category::kCn);
constexpr std::uint32_t kAll = bits(Category::kLu, Category::kCn);
constexpr std::uint32_t kAlphabeticCategories = kLetters | bit(Category::kNl);
constexpr std::uint32_t kWordCategories =
    kLetters | kMarks | bit(Category::kNd) | bit(Category::kNl) | bit(Category::kPc);

bool is_of(char32_t character, std::uint32_t categories) { return (categories & bit(category(character))) != 0; }

/// Puts touching ranges together. The sets' ranges come in any order.
Set tidy(Set set) {
  std::sort(set.begin(), set.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  Set out;
  for (const Range& range : set) {
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

template <typename Wanted>
Set runs_where(Wanted wanted) {
  Set set;
  for (std::size_t index = 0; index < std::size(kRuns); ++index) {
    const bool is_last = index + 1 == std::size(kRuns);
    if (wanted(kRuns[index])) set.push_back({kRuns[index].first, is_last ? 0x10FFFF : kRuns[index + 1].first - 1});
  }
  return tidy(std::move(set));
}

Set of_categories(std::uint32_t categories, std::span<const Range> more = {}) {
  Set set = runs_where([&](const Run& run) { return (categories >> run.category & 1) != 0; });
  set.insert(set.end(), more.begin(), more.end());
  return tidy(std::move(set));
}

/// Everything but white space, controls and what is not assigned.
Set graph_set(std::uint32_t more = 0) {
  constexpr std::uint32_t kInvisible = kSeparators | bit(Category::kCc) | bit(Category::kCn) | bit(Category::kCs);
  return of_categories((kAll & ~kInvisible) | more);
}

std::optional<std::uint32_t> categories_of(const std::string& name) {
  if (name == "l" || name == "letter") return kLetters;
  if (name == "lc" || name == "casedletter") return bits(Category::kLu, Category::kLt);
  if (name == "m" || name == "mark" || name == "combiningmark") return kMarks;
  if (name == "n" || name == "number") return kNumbers;
  if (name == "p" || name == "punctuation" || name == "punct") return kPunctuation;
  if (name == "s" || name == "symbol") return kSymbols;
  if (name == "z" || name == "separator") return kSeparators;
  if (name == "c" || name == "other") return kOthers;
  if (name == "digit") return bit(Category::kNd);
  if (name == "assigned") return kAll & ~bit(Category::kCn);
  for (std::size_t index = 0; index < kCategories.size(); ++index) {
    if (name == kCategories[index] || name == kShort.substr(2 * index, 2)) return 1U << index;
  }
  return std::nullopt;
}

/// The classes that \p{...} and [:...:] share.
std::optional<Set> find_shared(const std::string& name) {
  if (name == "alphabetic" || name == "alpha") return of_categories(kAlphabeticCategories, kOtherAlphabetic);
  if (name == "uppercase" || name == "upper") return of_categories(bit(Category::kLu), kOtherUppercase);
  if (name == "lowercase" || name == "lower") return of_categories(bit(Category::kLl), kOtherLowercase);
  if (name == "alnum") return of_categories(kAlphabeticCategories | bit(Category::kNd), kOtherAlphabetic);
  if (name == "digit") return of_categories(bit(Category::kNd));
  if (name == "graph") return graph_set();
  if (name == "print") return graph_set(bit(Category::kZs));
  return std::nullopt;
}

}  // namespace

Category category(char32_t character) { return static_cast<Category>(run_of(character).category); }

bool is_word(char32_t character) {
  return is_of(character, kWordCategories) || is_in(kOtherAlphabetic, character) || character == 0x200C ||
         character == 0x200D;
}

bool is_numeric(char32_t character) { return is_of(character, kNumbers) != is_in(kNumericChanges, character); }

bool is_punctuation(char32_t character) {
  if (character < 0x80) {
    return (character >= '!' && character <= '/') || (character >= ':' && character <= '@') ||
           (character >= '[' && character <= '`') || (character >= '{' && character <= '~');
  }
  return is_of(character, kPunctuation) != is_in(kPunctuationChanges, character);
}

bool is_combining_mark(char32_t character) { return is_of(character, kMarks) != is_in(kMarkChanges, character); }

bool is_nonspacing_mark(char32_t character) {
  return is_of(character, bit(Category::kMn)) != is_in(kNonspacingChanges, character);
}

bool is_bert_control(char32_t character) {
  if (character == '\t' || character == '\n' || character == '\r') return false;
  constexpr std::uint32_t kControls = bit(Category::kCc) | bit(Category::kCf) | bit(Category::kCo);
  return is_of(character, kControls) != is_in(kControlChanges, character);
}

bool is_unknown_to_forms(char32_t character) { return is_in(kUnknownToForms, character); }

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (; !text.empty(); text.remove_prefix(utf8::length(text.front()))) {
    const char32_t character = utf8::decode(text);
    if (character == 0x130) {  // the one letter whose small form is two characters
      out += "i\xCC\x87";
      continue;
    }
    const auto* next = std::upper_bound(std::begin(kLowerRuns), std::end(kLowerRuns), character,
                                        [](char32_t value, const LowerRun& run) { return value < run.first; });
    const LowerRun* run = next == std::begin(kLowerRuns) ? nullptr : next - 1;
    const bool has_small = run != nullptr && character <= run->last && (character - run->first) % run->step == 0;
    utf8::append(out, has_small ? static_cast<char32_t>(static_cast<std::int32_t>(character) + run->add) : character);
  }
  return out;
}

std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char letter : name) {
    if (letter == ' ' || letter == '-' || letter == '_') continue;
    plain += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return plain;
}

std::size_t cluster_length(std::string_view text) {
  std::size_t length = utf8::length(text.front());
  char32_t before = utf8::decode(text);
  utf8proc_int32_t state = 0;
  while (length < text.size()) {
    const char32_t next = utf8::decode(text.substr(length));
    const bool breaks = utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before),
                                                         static_cast<utf8proc_int32_t>(next), &state);
    // A mark that the installed utf8proc does not know yet.
    const bool is_new_mark = utf8proc_category(static_cast<utf8proc_int32_t>(next)) == UTF8PROC_CATEGORY_CN &&
                             is_of(next, kMarks) && before != '\r' && before != '\n';
    if (breaks && !is_new_mark) break;
    length += utf8::length(text[length]);
    before = next;
  }
  return length;
}

std::optional<Set> find_property(std::string_view name) {
  const std::string plain = plain_name(name);
  if (const auto categories = categories_of(plain)) return of_categories(*categories);
  if (auto shared = find_shared(plain)) return shared;
  if (plain == "word") return word_set();
  for (std::size_t index = 0; index < std::size(kScripts); ++index) {
    if (plain == kScripts[index]) return runs_where([&](const Run& run) { return run.script == index; });
  }
  return std::nullopt;
}

std::optional<Set> find_posix_class(std::string_view name) {
  const std::string plain(name);
  if (plain == "punct") return of_categories(kPunctuation | kSymbols);
  if (plain == "word") return word_set();
  return find_shared(plain);
}

const Set& word_set() {
  static const Set set = of_categories(kWordCategories, kOtherAlphabetic);
  return set;
}

}  // namespace kvmesh::llm::unicode

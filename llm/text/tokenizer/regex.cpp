#include "llm/text/tokenizer/regex.hpp"

#include <oniguruma.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "base/error.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

/// Oniguruma counts how often it goes back. Its own limit for one match is ten million, which is that of `tokenizers`
/// too; a long text may cost a few for each of its bytes.
constexpr unsigned long kRetries = 10'000'000;
constexpr unsigned long kRetriesPerByte = 8;
/// Places to go back to that are kept at the same time, about 40 bytes each.
constexpr std::size_t kStackEntries = 1'000'000;
constexpr std::size_t kStackEntriesPerByte = 16;
/// All matches in one text together. Honest patterns take about a tenth of a microsecond for a byte.
constexpr std::chrono::seconds kTimeForText{10};
constexpr std::chrono::microseconds kTimePerByte{10};

struct FreeRegex {
  void operator()(OnigRegexType* regex) const { onig_free(regex); }
};
struct FreeRegion {
  void operator()(OnigRegion* region) const { onig_region_free(region, /*free_self=*/1); }
};
struct FreeParameters {
  void operator()(OnigMatchParam* parameters) const { onig_free_match_param(parameters); }
};

void initialize_library() {
  static const int result = [] {
    std::array<OnigEncoding, 1> encodings{ONIG_ENCODING_UTF8};
    return onig_initialize(encodings.data(), static_cast<int>(encodings.size()));
  }();
  if (result != ONIG_NORMAL) throw Error(ErrorKind::kGiveUp, "Oniguruma cannot start: free some memory");
}

const OnigUChar* bytes_of(std::string_view text) { return reinterpret_cast<const OnigUChar*>(text.data()); }

std::string message_of(int error, OnigErrorInfo* info) {
  std::array<OnigUChar, ONIG_MAX_ERROR_MESSAGE_LEN> text{};
  const int length =
      info != nullptr ? onig_error_code_to_str(text.data(), error, info) : onig_error_code_to_str(text.data(), error);
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(length)};
}

/// A long pattern is not quoted whole: with its classes it may be a page.
std::string quoted(std::string_view pattern) {
  constexpr std::size_t kMost = 200;
  if (pattern.size() <= kMost) return cat('"', pattern, '"');
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(pattern[end]) & 0xC0) == 0x80) --end;
  return cat('"', pattern.substr(0, end), "…\"");
}

}  // namespace

struct Regex::Code {
  std::unique_ptr<OnigRegexType, FreeRegex> compiled;  ///< null: `source` is to be found literally
  std::string source;                                  ///< the pattern as the file has it
};

namespace {

/// What one call of cut() needs beside the compiled pattern.
class Matcher {
 public:
  Matcher(OnigRegexType* compiled, std::string_view source, std::string_view text)
      : compiled_(compiled),
        source_(source),
        text_(text),
        region_(onig_region_new()),
        parameters_(onig_new_match_param()),
        deadline_(Clock::now() + kTimeForText + text.size() * kTimePerByte) {
    if (!region_ || !parameters_) throw Error(ErrorKind::kGiveUp, "Oniguruma is out of memory: free some memory");
    onig_initialize_match_param(parameters_.get());
    const unsigned long retries = std::max(kRetries, kRetriesPerByte * text.size());
    onig_set_retry_limit_in_match_of_match_param(parameters_.get(), retries);
    onig_set_retry_limit_in_search_of_match_param(parameters_.get(), 10 * retries);
    onig_set_match_stack_limit_size_of_match_param(parameters_.get(),
                                                   static_cast<unsigned int>(kStackEntries +
                                                                             kStackEntriesPerByte * text.size()));
  }

  /// The first match at or after `from`.
  std::optional<Stretch> find(std::size_t from) {
    const OnigUChar* begin = bytes_of(text_);
    const OnigUChar* end = begin + text_.size();
    const int result = onig_search_with_param(compiled_, begin, end, begin + from, end, region_.get(), ONIG_OPTION_NONE,
                                              parameters_.get());
    if (result == ONIG_MISMATCH) return std::nullopt;
    if (result < 0) fail(result);
    if (Clock::now() > deadline_) fail(ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER);
    return Stretch{static_cast<std::size_t>(region_->beg[0]), static_cast<std::size_t>(region_->end[0]), true};
  }

 private:
  using Clock = std::chrono::steady_clock;

  [[noreturn]] void fail(int error) const {
    const char* what = nullptr;
    switch (error) {
      case ONIGERR_RETRY_LIMIT_IN_MATCH_OVER:
      case ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER:
      case ONIGERR_SUBEXP_CALL_LIMIT_IN_SEARCH_OVER: what = "takes too long"; break;
      case ONIGERR_MATCH_STACK_LIMIT_OVER:
      case ONIGERR_MEMORY: what = "takes too much memory"; break;
      default: break;
    }
    const std::string problem = what != nullptr ? what : cat("fails (", message_of(error, nullptr), ")");
    fail_input("the tokenizer's pattern ", quoted(source_), " ", problem, " on a text of ", text_.size(),
               " bytes: it goes back over the same characters again and again; write it so that each repeat can end in "
               "one way only");
  }

  OnigRegexType* compiled_;
  std::string_view source_;
  std::string_view text_;
  std::unique_ptr<OnigRegion, FreeRegion> region_;
  std::unique_ptr<OnigMatchParam, FreeParameters> parameters_;
  Clock::time_point deadline_;
};

}  // namespace

Regex::Regex(std::unique_ptr<const Code> code) : code_(std::move(code)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Regex Regex::compile(const std::string& pattern) {
  initialize_library();
  const std::string written_out = detail::with_own_classes(pattern);
  auto code = std::make_unique<Code>();
  code->source = pattern;
  OnigErrorInfo info{};
  OnigRegexType* compiled = nullptr;
  const OnigUChar* begin = bytes_of(written_out);
  const int result = onig_new(&compiled, begin, begin + written_out.size(), ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                              ONIG_SYNTAX_DEFAULT, &info);
  if (result != ONIG_NORMAL)
    fail_input("the pattern ", quoted(pattern), " cannot be used: ", message_of(result, &info));
  code->compiled.reset(compiled);
  return Regex(std::move(code));
}

Regex Regex::literal(std::string_view text) {
  if (text.empty()) return compile("");
  auto code = std::make_unique<Code>();
  code->source = text;
  return Regex(std::move(code));
}

std::vector<Stretch> Regex::cut(std::string_view text) const {
  std::vector<Stretch> stretches;
  if (text.empty()) return stretches;
  std::size_t done = 0;
  const auto add = [&](const Stretch& match) {
    if (match.begin > done) stretches.push_back({done, match.begin, false});
    stretches.push_back(match);
    done = match.end;
  };
  if (!code_->compiled) {
    for (std::size_t at; (at = text.find(code_->source, done)) != std::string_view::npos;) {
      add({at, at + code_->source.size(), true});
    }
  } else {
    Matcher matcher(code_->compiled.get(), code_->source, text);
    std::optional<std::size_t> last_end;
    for (std::size_t from = 0; from <= text.size();) {
      const std::optional<Stretch> match = matcher.find(from);
      if (!match) break;
      // As in `tokenizers`: an empty match right behind another match does not count.
      if (match->begin == match->end && match->end == last_end) {
        from += from < text.size() ? utf8::length(text[from]) : 1;
        continue;
      }
      add(*match);
      last_end = from = match->end;
    }
  }
  if (done < text.size()) stretches.push_back({done, text.size(), false});
  return stretches;
}

std::string Regex::replace(std::string_view text, std::string_view replacement) const {
  std::string out;
  out.reserve(text.size());
  for (const Stretch& stretch : cut(text)) {
    out += stretch.matched ? replacement : text.substr(stretch.begin, stretch.end - stretch.begin);
  }
  return out;
}

}  // namespace kvmesh::llm

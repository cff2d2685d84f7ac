#include "llm/text/tokenizer/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <limits>

#include "base/error.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

/// Groups that repeat over a long stretch need room; what is not touched costs nothing. Short texts do with what PCRE2
/// has at hand, since asking the system for a stack takes longer than matching a word.
constexpr std::size_t kNeedsStack = 1024;
constexpr std::size_t kStackStart = std::size_t{64} << 10;
constexpr std::size_t kStackMost = std::size_t{64} << 20;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using CodePointer = std::unique_ptr<pcre2_code, Freer<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freer<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Freer<pcre2_jit_stack_free>>;

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// What one call of cut() needs beside the code.
class Matcher {
 public:
  Matcher(const pcre2_code* code, std::size_t text_size)
      : code_(code), data_(pcre2_match_data_create(1, nullptr)), context_(pcre2_match_context_create(nullptr)) {
    if (!data_ || !context_) throw Error(ErrorKind::kGiveUp, "PCRE2 is out of memory: free some memory");
    if (text_size >= kNeedsStack) stack_.reset(pcre2_jit_stack_create(kStackStart, kStackMost, nullptr));
    pcre2_set_match_limit(context_.get(), std::numeric_limits<std::uint32_t>::max());
    pcre2_set_depth_limit(context_.get(), std::numeric_limits<std::uint32_t>::max());
    pcre2_set_heap_limit(context_.get(), std::numeric_limits<std::uint32_t>::max());
    pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
  }

  /// The first match at or after `from`; false when there is none. The text was checked to be UTF-8.
  bool find(std::string_view text, std::size_t from, Stretch& match) {
    int result = run(text, from, PCRE2_NO_UTF_CHECK);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(text, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) return false;
    if (result < 0) throw Error(ErrorKind::kGiveUp, cat("matching a pre-tokenizer's pattern: ", message_of(result)));
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
    match = {bounds[0], bounds[1], true};
    return true;
  }

 private:
  int run(std::string_view text, std::size_t from, std::uint32_t options) {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options, data_.get(),
                       context_.get());
  }

  const pcre2_code* code_;
  MatchData data_;
  MatchContext context_;
  JitStack stack_;
};

}  // namespace

struct Regex::Code {
  CodePointer pcre;     ///< null: `text` is to be found literally
  std::string literal;  ///< never empty where pcre is null
};

Regex::Regex(std::unique_ptr<const Code> code) : code_(std::move(code)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Regex Regex::compile(const std::string& pattern) {
  const std::string translated = detail::translate_pattern(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_unique<Code>();
  code->pcre.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                                 nullptr));
  if (!code->pcre) {
    fail_input("the pattern \"", pattern, "\" is not understood near \"", translated.substr(offset),
               "\": ", message_of(error));
  }
  pcre2_jit_compile(code->pcre.get(), PCRE2_JIT_COMPLETE);  // without JIT on this processor it only takes longer
  return Regex(std::move(code));
}

Regex Regex::literal(std::string_view text) {
  if (text.empty()) fail_input("the pattern \"\" matches nothing");
  auto code = std::make_unique<Code>();
  code->literal = text;
  return Regex(std::move(code));
}

std::vector<Stretch> Regex::cut(std::string_view text) const {
  std::vector<Stretch> stretches;
  std::size_t done = 0;
  const auto add = [&](const Stretch& match) {
    if (match.begin > done) stretches.push_back({done, match.begin, false});
    stretches.push_back(match);
    done = match.end;
  };
  if (!code_->pcre) {
    for (std::size_t at; (at = text.find(code_->literal, done)) != std::string_view::npos;) {
      add({at, at + code_->literal.size(), true});
    }
  } else {
    Matcher matcher(code_->pcre.get(), text.size());
    std::size_t from = 0;
    Stretch match;
    while (from <= text.size() && matcher.find(text, from, match)) {
      add(match);
      from = match.end;
      if (match.begin == match.end) from += from < text.size() ? utf8::length(text[from]) : 1;
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

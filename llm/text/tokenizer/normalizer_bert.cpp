#include "llm/text/tokenizer/normalizer_bert.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "llm/text/tokenizer/unicode.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

bool is_chinese(char32_t character) {
  static constexpr std::array<unicode::Range, 8> kBlocks{{{0x4E00, 0x9FFF},
                                                          {0x3400, 0x4DBF},
                                                          {0x20000, 0x2A6DF},
                                                          {0x2A700, 0x2B73F},
                                                          {0x2B740, 0x2B81F},
                                                          {0x2B920, 0x2CEAF},
                                                          {0xF900, 0xFAFF},
                                                          {0x2F800, 0x2FA1F}}};
  return std::any_of(kBlocks.begin(), kBlocks.end(),
                     [&](const unicode::Range& block) { return character >= block.first && character <= block.last; });
}

/// `text` with what `put(out, character)` makes of each character.
template <typename Put>
std::string rewrite(std::string_view text, Put put) {
  std::string out;
  out.reserve(text.size());
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(utf8::length(rest.front()))) {
    put(out, utf8::decode(rest));
  }
  return out;
}

void put_clean(std::string& out, char32_t character) {
  if (character == 0 || character == 0xFFFD || unicode::is_bert_control(character)) return;
  utf8::append(out, utf8::is_space(character) ? U' ' : character);
}

void put_apart_if_chinese(std::string& out, char32_t character) {
  const bool apart = is_chinese(character);
  if (apart) out += ' ';
  utf8::append(out, character);
  if (apart) out += ' ';
}

void put_unless_accent(std::string& out, char32_t character) {
  if (!unicode::is_nonspacing_mark(character)) utf8::append(out, character);
}

class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(const Description& description)
      : clean_(description.flag("clean_text", true)),
        chinese_(description.flag("handle_chinese_chars", true)),
        lowercase_(description.flag("lowercase", true)),
        strip_accents_(description.flag("strip_accents", lowercase_)) {}

  std::string apply(std::string text) const override {
    if (clean_) text = rewrite(text, &put_clean);
    if (chinese_) text = rewrite(text, &put_apart_if_chinese);
    if (strip_accents_) text = rewrite(decomposed_->apply(std::move(text)), &put_unless_accent);
    if (lowercase_) text = unicode::to_lower(text);
    return text;
  }

 private:
  bool clean_;
  bool chinese_;
  bool lowercase_;
  bool strip_accents_;
  std::unique_ptr<const Normalizer> decomposed_ = make_unicode_form("NFD");
};

}  // namespace

std::unique_ptr<const Normalizer> make_bert_normalizer(const Description& description) {
  return std::make_unique<BertNormalizer>(description);
}

}  // namespace kvmesh::llm

#include "llm/text/tokenizer/normalizer.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "llm/text/tokenizer/byte_level.hpp"
#include "llm/text/tokenizer/charsmap.hpp"
#include "llm/text/tokenizer/normalizer_bert.hpp"
#include "llm/text/tokenizer/pattern.hpp"
#include "llm/text/tokenizer/unicode.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

/// NFC, NFD, NFKC, NFKD.
class UnicodeForm final : public Normalizer {
 public:
  explicit UnicodeForm(int options) : options_(options) {}

  /// What `tokenizers` does not know yet stays as it is and joins nothing: the text falls apart there.
  std::string apply(std::string text) const override {
    if (is_ascii(text)) return text;
    std::string out;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size(); at += utf8::length(text[at])) {
      const std::string_view rest = std::string_view(text).substr(at);
      if (!unicode::is_unknown_to_forms(utf8::decode(rest))) continue;
      out += apply_known(std::string_view(text).substr(begin, at - begin));
      begin = at + utf8::length(rest.front());
      out += rest.substr(0, begin - at);
    }
    return out + apply_known(std::string_view(text).substr(begin));
  }

 private:
  std::string apply_known(std::string_view text) const {
    if (is_ascii(text)) return std::string(text);
    utf8proc_uint8_t* mapped = nullptr;
    const utf8proc_ssize_t length =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                     &mapped, static_cast<utf8proc_option_t>(options_));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
    if (length < 0) throw Error(ErrorKind::kGiveUp, cat("normalising text: ", utf8proc_errmsg(length)));
    return std::string(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length));
  }

  int options_;
};

class Replace final : public Normalizer {
 public:
  explicit Replace(const Description& description)
      : pattern_(make_pattern(description.at("pattern"))), content_(description.text("content")) {}

  std::string apply(std::string text) const override { return pattern_.replace(text, content_); }

 private:
  Regex pattern_;
  std::string content_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string apply(std::string text) const override { return text.empty() ? text : prefix_ + text; }

 private:
  std::string prefix_;
};

class Lowercase final : public Normalizer {
 public:
  std::string apply(std::string text) const override { return unicode::to_lower(text); }
};

class StripSpace final : public Normalizer {
 public:
  StripSpace(bool left, bool right) : left_(left), right_(right) {}

  std::string apply(std::string text) const override {
    std::string_view rest = text;
    while (left_ && !rest.empty() && utf8::is_space(utf8::decode(rest))) rest.remove_prefix(utf8::length(rest.front()));
    while (right_ && !rest.empty()) {
      const std::size_t last = utf8::last_start(rest);
      if (!utf8::is_space(utf8::decode(rest.substr(last)))) break;
      rest = rest.substr(0, last);
    }
    return std::string(rest);
  }

 private:
  bool left_;
  bool right_;
};

class StripAccents final : public Normalizer {
 public:
  std::string apply(std::string text) const override {
    std::string out;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t length = utf8::length(rest.front());
      if (!unicode::is_combining_mark(utf8::decode(rest))) out += rest.substr(0, length);
      rest.remove_prefix(length);
    }
    return out;
  }
};

class SpellBytes final : public Normalizer {
 public:
  std::string apply(std::string text) const override { return byte_level::spell(text); }
};

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(const Description& steps) {
    for (std::size_t index = 0; index < steps.size(); ++index) steps_.push_back(make_normalizer(steps.at(index)));
  }

  std::string apply(std::string text) const override {
    for (const auto& step : steps_) text = step->apply(std::move(text));
    return text;
  }

 private:
  std::vector<std::unique_ptr<const Normalizer>> steps_;
};

}  // namespace

std::unique_ptr<const Normalizer> make_unicode_form(std::string_view name) {
  if (name == "NFC") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (name == "NFD") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  if (name == "NFKC") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  if (name == "NFKD") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  return nullptr;
}

std::unique_ptr<const Normalizer> make_normalizer(const Description& description) {
  const std::string type = description.text("type");
  if (auto form = make_unicode_form(type)) return form;
  if (type == "Replace") return std::make_unique<Replace>(description);
  if (type == "Prepend") return std::make_unique<Prepend>(description.text("prepend"));
  if (type == "Lowercase") return std::make_unique<Lowercase>();
  if (type == "Strip") {
    return std::make_unique<StripSpace>(description.flag("strip_left", true), description.flag("strip_right", true));
  }
  if (type == "StripAccents") return std::make_unique<StripAccents>();
  if (type == "ByteLevel") return std::make_unique<SpellBytes>();
  if (type == "BertNormalizer") return make_bert_normalizer(description);
  if (type == "Precompiled") return std::make_unique<Charsmap>(description);
  if (type == "Sequence") return std::make_unique<NormalizerSequence>(description.at("normalizers"));
  description.fail("the normalizer type \"", type,
                   "\" is not supported; NFC, NFD, NFKC, NFKD, Replace, Prepend, Lowercase, Strip, StripAccents, "
                   "ByteLevel, BertNormalizer, Precompiled and Sequence are");
}

}  // namespace kvmesh::llm

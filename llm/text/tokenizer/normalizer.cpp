#include "llm/text/tokenizer/normalizer.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "llm/text/tokenizer/byte_level.hpp"
#include "llm/text/tokenizer/pattern.hpp"
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

  std::string apply(std::string text) const override {
    if (is_ascii(text)) return text;
    utf8proc_uint8_t* mapped = nullptr;
    const utf8proc_ssize_t length =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                     &mapped, static_cast<utf8proc_option_t>(options_));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
    if (length < 0) throw Error(ErrorKind::kGiveUp, cat("normalising text: ", utf8proc_errmsg(length)));
    return std::string(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length));
  }

 private:
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
  std::string apply(std::string text) const override {
    std::string out;
    out.reserve(text.size());
    for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(utf8::length(rest.front()))) {
      const char32_t character = utf8::decode(rest);
      if (character == 0x130) {  // the one letter whose small form is two characters
        out += "i\xCC\x87";
      } else {
        utf8::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))));
      }
    }
    return out;
  }
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
      const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(utf8::decode(rest)));
      if (category != UTF8PROC_CATEGORY_MN) out += rest.substr(0, length);
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

std::unique_ptr<const Normalizer> make_normalizer(const Description& description) {
  const std::string type = description.text("type");
  if (type == "NFC") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (type == "NFD") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  if (type == "NFKC") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  if (type == "NFKD") return std::make_unique<UnicodeForm>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  if (type == "Replace") return std::make_unique<Replace>(description);
  if (type == "Prepend") return std::make_unique<Prepend>(description.text("prepend"));
  if (type == "Lowercase") return std::make_unique<Lowercase>();
  if (type == "Strip") {
    return std::make_unique<StripSpace>(description.flag("strip_left", true), description.flag("strip_right", true));
  }
  if (type == "StripAccents") return std::make_unique<StripAccents>();
  if (type == "ByteLevel") return std::make_unique<SpellBytes>();
  if (type == "Sequence") return std::make_unique<NormalizerSequence>(description.at("normalizers"));
  description.fail("the normalizer type \"", type,
                   "\" is not supported; NFC, NFD, NFKC, NFKD, Replace, Prepend, Lowercase, Strip, StripAccents, "
                   "ByteLevel and Sequence are");
}

}  // namespace kvmesh::llm

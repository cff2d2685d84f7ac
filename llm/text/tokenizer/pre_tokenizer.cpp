#include "llm/text/tokenizer/pre_tokenizer.hpp"

#include "llm/text/tokenizer/byte_level.hpp"
#include "llm/text/tokenizer/pattern.hpp"
#include "llm/text/tokenizer/split.hpp"
#include "llm/text/tokenizer/unicode.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

SplitBehavior read_behavior(const Description& description, const std::string& missing) {
  const std::string name = description.text("behavior", missing);
  const auto behavior = split_behavior(name);
  if (!behavior) description.fail("the behavior \"", name, "\" is not known");
  return *behavior;
}

void append_split(std::vector<Piece>& out, const Piece& piece, const std::vector<Stretch>& stretches,
                  SplitBehavior behavior) {
  for (const Stretch& part : split(stretches, behavior)) {
    out.push_back({piece.text.substr(part.begin, part.end - part.begin), piece.at_start && part.begin == 0});
  }
}

class Split final : public PreTokenizer {
 public:
  Split(Regex pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  std::vector<Piece> apply(std::vector<Piece> pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces) {
      std::vector<Stretch> stretches = pattern_.cut(piece.text);
      if (invert_) {
        for (Stretch& stretch : stretches) stretch.matched = !stretch.matched;
      }
      append_split(out, piece, stretches, behavior_);
    }
    return out;
  }

 private:
  Regex pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

/// Every character of a class is a match by itself.
class SplitCharacters final : public PreTokenizer {
 public:
  SplitCharacters(bool (*is_match)(char32_t), SplitBehavior behavior) : is_match_(is_match), behavior_(behavior) {}

  std::vector<Piece> apply(std::vector<Piece> pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces) append_split(out, piece, cut(piece.text), behavior_);
    return out;
  }

 private:
  std::vector<Stretch> cut(std::string_view text) const {
    std::vector<Stretch> stretches;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = at + utf8::length(text[at]);
      const bool matched = is_match_(utf8::decode(text.substr(at)));
      if (!matched && !stretches.empty() && !stretches.back().matched) {
        stretches.back().end = end;
      } else {
        stretches.push_back({at, end, matched});
      }
      at = end;
    }
    return stretches;
  }

  bool (*is_match_)(char32_t);
  SplitBehavior behavior_;
};

/// "Whitespace": runs of word characters, and runs of what is neither that nor white space.
class Words final : public PreTokenizer {
 public:
  std::vector<Piece> apply(std::vector<Piece> pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces) {
      Kind before = Kind::kSpace;
      for (std::size_t at = 0; at < piece.text.size(); at += utf8::length(piece.text[at])) {
        const std::string_view rest = std::string_view(piece.text).substr(at);
        const Kind kind = kind_of(utf8::decode(rest));
        if (kind != Kind::kSpace) {
          if (kind != before) out.push_back({"", piece.at_start && at == 0});
          out.back().text += rest.substr(0, utf8::length(rest.front()));
        }
        before = kind;
      }
    }
    return out;
  }

 private:
  enum class Kind { kSpace, kWord, kOther };
  static Kind kind_of(char32_t character) {
    if (unicode::is_word(character)) return Kind::kWord;
    return utf8::is_space(character) ? Kind::kSpace : Kind::kOther;
  }
};

/// "BertPreTokenizer": words between white space, punctuation by itself.
class WordsAndPunctuation final : public PreTokenizer {
 public:
  std::vector<Piece> apply(std::vector<Piece> pieces) const override {
    return punctuation_.apply(words_.apply(std::move(pieces)));
  }

 private:
  SplitCharacters words_{&utf8::is_space, SplitBehavior::kRemoved};
  SplitCharacters punctuation_{&unicode::is_punctuation, SplitBehavior::kIsolated};
};

class ByteLevel final : public PreTokenizer {
 public:
  explicit ByteLevel(const Description& description)
      : add_prefix_space_(description.flag("add_prefix_space", true)),
        use_regex_(description.flag("use_regex", true)) {}

  std::vector<Piece> apply(std::vector<Piece> pieces) const override {
    if (add_prefix_space_) {
      for (Piece& piece : pieces) {
        if (!piece.text.starts_with(' ')) piece.text.insert(0, 1, ' ');
      }
    }
    if (use_regex_) pieces = split_.apply(std::move(pieces));
    for (Piece& piece : pieces) piece.text = byte_level::spell(piece.text);
    return pieces;
  }

 private:
  bool add_prefix_space_;
  bool use_regex_;
  Split split_{Regex::compile(std::string(byte_level::kPattern)), SplitBehavior::kIsolated, /*invert=*/false};
};

/// Spaces become a visible character, one is put in front, and words start at it.
class Metaspace final : public PreTokenizer {
 public:
  explicit Metaspace(const Description& description)
      : replacement_(description.text("replacement", "▁")),
        scheme_(description.text("prepend_scheme", description.flag("add_prefix_space", true) ? "always" : "never")),
        split_(description.flag("split", true)),
        words_(Regex::literal(replacement_), SplitBehavior::kMergedWithNext, /*invert=*/false) {
    if (scheme_ != "always" && scheme_ != "first" && scheme_ != "never") {
      description.at("prepend_scheme").fail("\"", scheme_, "\" is none of always, first, never");
    }
  }

  std::vector<Piece> apply(std::vector<Piece> pieces) const override {
    for (Piece& piece : pieces) {
      piece.text = space_.replace(piece.text, replacement_);
      const bool wanted = scheme_ == "always" || (scheme_ == "first" && piece.at_start);
      if (wanted && !piece.text.starts_with(replacement_)) piece.text.insert(0, replacement_);
    }
    return split_ ? words_.apply(std::move(pieces)) : pieces;
  }

 private:
  std::string replacement_;
  std::string scheme_;
  bool split_;
  Regex space_ = Regex::literal(" ");
  Split words_;
};

class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(const Description& steps) {
    for (std::size_t index = 0; index < steps.size(); ++index) steps_.push_back(make_pre_tokenizer(steps.at(index)));
  }

  std::vector<Piece> apply(std::vector<Piece> pieces) const override {
    for (const auto& step : steps_) pieces = step->apply(std::move(pieces));
    return pieces;
  }

 private:
  std::vector<std::unique_ptr<const PreTokenizer>> steps_;
};

}  // namespace

std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const Description& description) {
  const std::string type = description.text("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevel>(description);
  if (type == "Split") {
    return std::make_unique<Split>(make_pattern(description.at("pattern")), read_behavior(description, "Isolated"),
                                   description.flag("invert", false));
  }
  if (type == "Metaspace") return std::make_unique<Metaspace>(description);
  if (type == "Digits") {
    const bool individual = description.flag("individual_digits", false);
    return std::make_unique<SplitCharacters>(&unicode::is_numeric,
                                             individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
  }
  if (type == "Punctuation") {
    return std::make_unique<SplitCharacters>(&unicode::is_punctuation, read_behavior(description, "Isolated"));
  }
  if (type == "Whitespace") return std::make_unique<Words>();
  if (type == "BertPreTokenizer") return std::make_unique<WordsAndPunctuation>();
  if (type == "WhitespaceSplit") return std::make_unique<SplitCharacters>(&utf8::is_space, SplitBehavior::kRemoved);
  if (type == "Sequence") return std::make_unique<PreTokenizerSequence>(description.at("pretokenizers"));
  description.fail("the pre-tokenizer type \"", type,
                   "\" is not supported; ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, "
                   "WhitespaceSplit, BertPreTokenizer and Sequence are");
}

}  // namespace kvmesh::llm

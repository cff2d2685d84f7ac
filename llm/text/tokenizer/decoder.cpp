#include "llm/text/tokenizer/decoder.hpp"

#include <memory>
#include <optional>
#include <vector>

#include "llm/text/tokenizer/byte_level.hpp"
#include "llm/text/tokenizer/pattern.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm {
namespace {

/// A decoder whose steps are made by a function.
class FunctionDecoder final : public Decoder {
 public:
  using Start = std::function<std::unique_ptr<DecodeStep>()>;
  explicit FunctionDecoder(Start start) : start_(std::move(start)) {}
  std::unique_ptr<DecodeStep> start() const override { return start_(); }

 private:
  Start start_;
};

template <typename Step, typename... Arguments>
std::unique_ptr<const Decoder> decoder_of(Arguments... arguments) {
  return std::make_unique<FunctionDecoder>([=] { return std::make_unique<Step>(arguments...); });
}

/// A step that wants whole tokens.
class TokenStep : public DecodeStep {
 public:
  void push(Fragment fragment, const Sink& sink) final {
    token_ += fragment.text;
    if (fragment.ends) take(std::exchange(token_, {}), sink);
  }
  void finish(const Sink&) override {}

 protected:
  virtual void take(std::string token, const Sink& sink) = 0;

 private:
  std::string token_;
};

class ReplaceStep final : public TokenStep {
 public:
  ReplaceStep(std::shared_ptr<const Regex> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

 private:
  void take(std::string token, const Sink& sink) override { sink({pattern_->replace(token, content_)}); }

  std::shared_ptr<const Regex> pattern_;
  std::string content_;
};

/// Bytes that tokens spell out, melted into one token of text. Half a character waits for its other half.
class ByteLevelStep final : public TokenStep {
 public:
  void finish(const Sink& sink) override {
    sink({utf8::sanitize(pending_), std::exchange(begins_, true), /*ends=*/true});
    pending_.clear();
  }

 private:
  void take(std::string token, const Sink& sink) override {
    pending_ += byte_level::bytes(token).value_or(token);
    std::size_t end = pending_.size();
    for (std::size_t back = 1; back <= 3 && back <= pending_.size(); ++back) {
      if (utf8::is_incomplete(std::string_view(pending_).substr(pending_.size() - back))) end = pending_.size() - back;
    }
    if (end == 0) return;
    sink({utf8::sanitize(std::string_view(pending_).substr(0, end)), std::exchange(begins_, false), /*ends=*/false});
    pending_.erase(0, end);
  }

  std::string pending_;
  bool begins_ = true;
};

/// "<0xE2>" and the like. A run of them is text if all of it is UTF-8, and else one U+FFFD a byte, so the run is held
/// back until it is over.
class ByteFallbackStep final : public TokenStep {
 public:
  void finish(const Sink& sink) override { end_run(sink); }

 private:
  static std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
    int value = 0;
    for (const char digit : token.substr(3, 2)) {
      const auto at = std::string_view("0123456789ABCDEFabcdef").find(digit);
      if (at == std::string_view::npos) return std::nullopt;
      value = value * 16 + static_cast<int>(at < 16 ? at : at - 6);
    }
    return static_cast<char>(static_cast<unsigned char>(value));
  }

  void take(std::string token, const Sink& sink) override {
    if (const auto byte = byte_of(token)) {
      run_.push_back(*byte);
      return;
    }
    end_run(sink);
    sink({std::move(token)});
  }

  void end_run(const Sink& sink) {
    if (run_.empty()) return;
    if (utf8::is_valid(run_)) {
      sink({run_});
    } else {
      for (std::size_t index = 0; index < run_.size(); ++index) sink({std::string(utf8::kReplacement)});
    }
    run_.clear();
  }

  std::string run_;
};

/// Melts all tokens into one.
class FuseStep final : public DecodeStep {
 public:
  void push(Fragment fragment, const Sink& sink) override {
    sink({std::move(fragment.text), std::exchange(begins_, false), /*ends=*/false});
  }
  void finish(const Sink& sink) override { sink({"", std::exchange(begins_, true), /*ends=*/true}); }

 private:
  bool begins_ = true;
};

/// Takes up to `start` characters `content` off the start of a token and up to `stop` off its end.
class StripStep final : public DecodeStep {
 public:
  StripStep(std::string content, std::size_t start, std::size_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}

  void push(Fragment fragment, const Sink& sink) override {
    if (fragment.begins) to_strip_ = start_;
    std::string text = std::move(fragment.text);
    while (to_strip_ > 0 && text.starts_with(content_)) {
      text.erase(0, content_.size());
      --to_strip_;
    }
    if (!text.empty()) to_strip_ = 0;
    text.insert(0, std::exchange(held_, {}));
    std::size_t end = text.size();
    for (std::size_t count = 0; count < stop_ && std::string_view(text).substr(0, end).ends_with(content_); ++count) {
      end -= content_.size();
    }
    if (!fragment.ends) held_ = text.substr(end);
    text.resize(end);
    sink({std::move(text), fragment.begins, fragment.ends});
  }
  void finish(const Sink&) override {}

 private:
  std::string content_;
  std::size_t start_;
  std::size_t stop_;
  std::size_t to_strip_ = 0;
  std::string held_;
};

/// The visible space becomes a space, but vanishes from the first token if one was put there by the pre-tokenizer.
class MetaspaceStep final : public TokenStep {
 public:
  MetaspaceStep(std::shared_ptr<const Regex> space, bool prepended) : space_(std::move(space)), prepended_(prepended) {}

  void finish(const Sink&) override { first_ = true; }

 private:
  void take(std::string token, const Sink& sink) override {
    const bool drop = std::exchange(first_, false) && prepended_;
    sink({space_->replace(token, drop ? "" : " ")});
  }

  std::shared_ptr<const Regex> space_;
  bool prepended_;
  bool first_ = true;
};

class SpacesStep final : public TokenStep {
 public:
  void finish(const Sink&) override { first_ = true; }

 private:
  void take(std::string token, const Sink& sink) override {
    sink({std::exchange(first_, false) ? std::move(token) : " " + token});
  }

  bool first_ = true;
};

class SequenceStep final : public DecodeStep {
 public:
  explicit SequenceStep(std::vector<std::unique_ptr<DecodeStep>> steps) : steps_(std::move(steps)) {}

  void push(Fragment fragment, const Sink& sink) override { push_from(0, std::move(fragment), sink); }
  void finish(const Sink& sink) override {
    for (std::size_t index = 0; index < steps_.size(); ++index) {
      steps_[index]->finish([&](Fragment fragment) { push_from(index + 1, std::move(fragment), sink); });
    }
  }

 private:
  void push_from(std::size_t index, Fragment fragment, const Sink& sink) {
    if (index == steps_.size()) return sink(std::move(fragment));
    steps_[index]->push(std::move(fragment), [&](Fragment next) { push_from(index + 1, std::move(next), sink); });
  }

  std::vector<std::unique_ptr<DecodeStep>> steps_;
};

class DecoderSequence final : public Decoder {
 public:
  explicit DecoderSequence(const Description& decoders) {
    for (std::size_t index = 0; index < decoders.size(); ++index) {
      decoders_.push_back(make_decoder(decoders.at(index)));
    }
  }

  std::unique_ptr<DecodeStep> start() const override {
    std::vector<std::unique_ptr<DecodeStep>> steps;
    for (const auto& decoder : decoders_) steps.push_back(decoder->start());
    return std::make_unique<SequenceStep>(std::move(steps));
  }

 private:
  std::vector<std::unique_ptr<const Decoder>> decoders_;
};

std::unique_ptr<const Decoder> make_strip(const Description& description) {
  const std::string content = description.text("content", " ");
  if (content.empty()) description.at("content").fail("expected a character");
  return decoder_of<StripStep>(content, static_cast<std::size_t>(description.number("start")),
                               static_cast<std::size_t>(description.number("stop")));
}

std::unique_ptr<const Decoder> make_metaspace(const Description& description) {
  const std::string scheme =
      description.text("prepend_scheme", description.flag("add_prefix_space", true) ? "always" : "never");
  const auto space = std::make_shared<const Regex>(Regex::literal(description.text("replacement", "▁")));
  return decoder_of<MetaspaceStep>(space, scheme != "never");
}

}  // namespace

std::unique_ptr<const Decoder> make_decoder(const Description& description) {
  const std::string type = description.text("type");
  if (type == "ByteLevel") return decoder_of<ByteLevelStep>();
  if (type == "ByteFallback") return decoder_of<ByteFallbackStep>();
  if (type == "Fuse") return decoder_of<FuseStep>();
  if (type == "Replace") {
    const auto pattern = std::make_shared<const Regex>(make_pattern(description.at("pattern")));
    return decoder_of<ReplaceStep>(pattern, description.text("content"));
  }
  if (type == "Strip") return make_strip(description);
  if (type == "Metaspace") return make_metaspace(description);
  if (type == "Sequence") return std::make_unique<DecoderSequence>(description.at("decoders"));
  description.fail("the decoder type \"", type,
                   "\" is not supported; ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace and Sequence are");
}

std::unique_ptr<const Decoder> make_default_decoder() { return decoder_of<SpacesStep>(); }

}  // namespace kvmesh::llm

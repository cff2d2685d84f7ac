#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "llm/decode/stop_strings.hpp"
#include "llm/text/tokenizer.hpp"

namespace kvmesh::llm {

/// The text of the tokens of one answer as they come, without special tokens, up to the first stop string. A stop
/// string may name a special token or span some ("done<|im_end|>"). For one thread; the tokenizer outlives it.
class AnswerText {
 public:
  /// Throws Error{kFixInput} for an empty stop string.
  AnswerText(const Tokenizer& tokenizer, const std::vector<std::string>& stop);

  /// What may be shown after `id`: whole characters, and nothing that may be the start of a stop string.
  std::string push(std::int64_t id);

  /// Has a stop string come?
  bool stopped() const { return stop_.found(); }

  /// How many of the tokens stand before the stop string that came, not even a part of them in it.
  std::size_t tokens_before_stop() const;

  /// The answer is over; `stop_token` ended it, if any. What was held back.
  std::string finish(std::optional<std::int64_t> stop_token = std::nullopt);

 private:
  const Tokenizer& tokenizer_;
  StreamingDecoder decoder_;
  StopStrings stop_;
  std::size_t bytes_ = 0;          ///< of text and special tokens so far
  std::vector<std::size_t> ends_;  ///< what bytes_ was after each token
};

/// The text of `ids`, which `stop_token` ended, if any, up to the first of `stop`.
std::string answer_text(const Tokenizer& tokenizer, const std::vector<std::string>& stop,
                        std::span<const std::int64_t> ids, std::optional<std::int64_t> stop_token);

}  // namespace kvmesh::llm

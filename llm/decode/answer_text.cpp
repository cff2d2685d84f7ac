#include "llm/decode/answer_text.hpp"

namespace kvmesh::llm {
namespace {

std::vector<std::string> those_that(bool name_special, const Tokenizer& tokenizer,
                                    const std::vector<std::string>& stop) {
  std::vector<std::string> strings;
  for (const std::string& string : stop) {
    if (tokenizer.names_special(string) == name_special) strings.push_back(string);
  }
  return strings;
}

}  // namespace

AnswerText::AnswerText(const Tokenizer& tokenizer, const std::vector<std::string>& stop)
    : tokenizer_(tokenizer),
      decoder_(tokenizer, /*skip_special=*/true),
      stop_(those_that(false, tokenizer, stop), those_that(true, tokenizer, stop)) {}

std::string AnswerText::push(std::int64_t id) {
  const std::string text = tokenizer_.is_special(id) ? tokenizer_.token(id) : decoder_.push(id);
  bytes_ += text.size();
  ends_.push_back(bytes_);
  return tokenizer_.is_special(id) ? stop_.push_special(text) : stop_.push(text);
}

std::size_t AnswerText::tokens_before_stop() const {
  std::size_t count = 0;
  while (count < ends_.size() && ends_[count] <= stop_.begin()) ++count;
  // A token that gave no text yet holds the start of a character that a later one completed.
  while (count > 0 && count < ends_.size() && ends_[count - 1] == (count > 1 ? ends_[count - 2] : 0)) --count;
  return count;
}

std::string AnswerText::finish(std::optional<std::int64_t> stop_token) {
  std::string text = stop_.push(decoder_.flush());
  if (stop_token && tokenizer_.is_special(*stop_token)) text += stop_.push_special(tokenizer_.token(*stop_token));
  return text + stop_.finish();
}

std::string answer_text(const Tokenizer& tokenizer, const std::vector<std::string>& stop,
                        std::span<const std::int64_t> ids, std::optional<std::int64_t> stop_token) {
  AnswerText answer(tokenizer, stop);
  std::string text;
  for (const std::int64_t id : ids) text += answer.push(id);
  return text + answer.finish(stop_token);
}

}  // namespace kvmesh::llm

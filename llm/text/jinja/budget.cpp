#include "llm/text/jinja/budget.hpp"

#include "llm/text/jinja/value.hpp"
#include "llm/text/tokenizer/utf8.hpp"

namespace kvmesh::llm::jinja {

Budget::Budget(std::size_t input_bytes)
    : steps_(kSteps + kStepsPerByte * input_bytes),
      bytes_(kBytes + kBytesPerByte * input_bytes),
      steps_left_(steps_),
      bytes_left_(bytes_) {}

void Budget::need_room(std::size_t count, std::size_t size) {
  if (size != 0 && count > bytes_left_ / size) refuse_bytes();
}

void Budget::refuse_steps() const {
  refuse("the template takes more than ", steps_, " steps, the most that a rendering of these variables may take");
}

void Budget::refuse_bytes() const {
  refuse("the template makes more than ", bytes_ >> 20,
         " MiB of text and values, the most that a rendering of these variables may hold");
}

void TextBuilder::append_character(char32_t character) {
  charge_.grow(4);
  utf8::append(text_, character);
}

void TextBuilder::append_repeated(std::string_view part, std::size_t count) {
  budget_.need_room(count, part.size());
  charge_.grow(count * part.size());
  if (part.size() == 1) {
    text_.append(count, part.front());
    return;
  }
  text_.reserve(text_.size() + count * part.size());
  for (; count > 0 && !part.empty(); --count) text_ += part;
}

Value TextBuilder::take_value(bool is_markup) {
  charge_ = Charge(budget_, 0);
  return Value(budget_, std::exchange(text_, {}), is_markup);
}

}  // namespace kvmesh::llm::jinja

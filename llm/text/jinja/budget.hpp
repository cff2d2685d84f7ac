#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::llm::jinja {

/// What goes wrong inside a template, without file and line: the one who renders adds them.
class TemplateError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws TemplateError. A function of its own, so that the streams of messages stay out of the frames of functions
/// that call themselves.
template <typename... Parts>
[[noreturn, gnu::noinline]] void refuse(const Parts&... parts) {
  throw TemplateError(cat(parts...));
}

/// What one rendering may use: steps and memory. A checkpoint's template is a file of somebody else's, so it must not
/// be able to run for ever or to take the host's memory. Each node that is evaluated and each item that is walked over
/// costs a step, long texts cost more; each value that the template makes costs memory until it is gone. Both bounds
/// grow with the variables, so that a long conversation has room. For one thread.
class Budget {
 public:
  static constexpr std::size_t kSteps = 20'000'000;
  static constexpr std::size_t kStepsPerByte = 16;  ///< more, per byte of the variables
  static constexpr std::size_t kBytes = std::size_t{256} << 20;
  static constexpr std::size_t kBytesPerByte = 64;  ///< more, per byte of the variables

  /// `input_bytes`: the size of the variables. They themselves cost nothing.
  explicit Budget(std::size_t input_bytes);
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// Throws TemplateError that names the bound where it is passed; so do all that follow.
  void step(std::size_t count = 1) {
    if (count > steps_left_) refuse_steps();
    steps_left_ -= count;
  }
  /// The steps of an operation that looks at `bytes` of text.
  void read(std::size_t bytes) { step(1 + bytes / 16); }

  void take(std::size_t bytes) {
    if (bytes > bytes_left_) refuse_bytes();
    bytes_left_ -= bytes;
  }
  void give_back(std::size_t bytes) { bytes_left_ += bytes; }
  /// Is there room for `count` things of `size` bytes? For functions that are told how many to make.
  void need_room(std::size_t count, std::size_t size);

 private:
  [[noreturn]] void refuse_steps() const;
  [[noreturn]] void refuse_bytes() const;

  std::size_t steps_;
  std::size_t bytes_;
  std::size_t steps_left_;
  std::size_t bytes_left_;
};

/// Memory taken from a budget for as long as this lives. The budget outlives it. Moved, never copied.
class Charge {
 public:
  Charge() = default;  ///< of nobody: what belongs to the parsed template or to the caller
  Charge(Budget& budget, std::size_t bytes) : budget_(&budget), bytes_(bytes) { budget.take(bytes); }
  Charge(Charge&& other) noexcept : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (budget_ != nullptr) budget_->give_back(bytes_);
  }

  void grow(std::size_t bytes) {
    if (budget_ == nullptr) return;
    budget_->take(bytes);
    bytes_ += bytes;
  }

 private:
  Budget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

class Value;

/// Text that grows within a budget: what makes text out of counts or of many values writes here, so that the bound is
/// known before the memory is taken.
class TextBuilder {
 public:
  explicit TextBuilder(Budget& budget) : budget_(budget), charge_(budget, 0) {}

  Budget& budget() { return budget_; }
  const std::string& text() const { return text_; }

  void append(std::string_view part) {
    charge_.grow(part.size());
    text_ += part;
  }
  void append_character(char32_t character);
  void append_repeated(std::string_view part, std::size_t count);

  /// The text so far as a value; nothing is left here.
  Value take_value(bool is_markup = false);

 private:
  Budget& budget_;
  Charge charge_;
  std::string text_;
};

}  // namespace kvmesh::llm::jinja

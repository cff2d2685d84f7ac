#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "llm/text/jinja/object.hpp"

namespace kvmesh::llm::jinja {

/// The names of one block; what is not here is looked for in the scope around. It lives as long as a block runs in it,
/// a macro was defined in it, or a scope is inside it.
class Scope final : public Holder {
 public:
  Scope(Budget& budget, Graveyard& graveyard, std::shared_ptr<Scope> around)
      : Holder(graveyard), around_(std::move(around)), charge_(budget, 256) {}

  Scope* around() const { return around_.get(); }
  void set(Budget& budget, Value name, Value value) {
    charge_.grow(2 * Value::kItemBytes);
    names.set(budget, std::move(name), std::move(value));
  }

 private:
  std::shared_ptr<Scope> around_;
  Charge charge_;
};

/// One rendering: its budget, its scopes, its clock, the line it is at. For one thread.
class Context {
 public:
  using TimePoint = std::chrono::system_clock::time_point;
  /// Blocks, expressions and calls inside each other, each of which takes a piece of the stack.
  static constexpr int kDeepest = 1500;

  /// `input_bytes`: the size of the variables, for the budget.
  Context(std::size_t input_bytes, std::optional<TimePoint> now);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  Budget& budget() { return budget_; }
  Graveyard& graveyard() { return graveyard_; }

  Value find(std::string_view name);
  void set(Value name, Value value) { scope_->set(budget_, std::move(name), std::move(value)); }
  void define(std::string_view name, Value value) { set(Value(budget_, std::string(name)), std::move(value)); }

  const std::shared_ptr<Scope>& scope() const { return scope_; }
  /// A new scope inside `around` becomes the current one.
  void enter(std::shared_ptr<Scope> around);
  void leave_to(std::shared_ptr<Scope> scope) { scope_ = std::move(scope); }

  std::optional<TimePoint> now() const { return now_; }
  int line() const { return line_; }
  void at_line(int line) { line_ = line; }

 private:
  friend class Deeper;
  [[noreturn]] static void refuse_depth();

  Budget budget_;  ///< before all that is charged to it
  Graveyard graveyard_;
  std::shared_ptr<Scope> scope_;
  std::optional<TimePoint> now_;
  int line_ = 1;
  int depth_ = 0;
};

/// One level deeper for as long as this lives, at the price of a step.
class Deeper {
 public:
  explicit Deeper(Context& context) : depth_(context.depth_) {
    context.budget_.step();
    if (depth_ == Context::kDeepest) Context::refuse_depth();
    ++depth_;
  }
  ~Deeper() { --depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  int& depth_;
};

/// A scope for as long as a block runs, left whatever happens in it.
class InnerScope {
 public:
  InnerScope(Context& context, std::shared_ptr<Scope> around) : context_(context), before_(context.scope()) {
    context.enter(std::move(around));
  }
  ~InnerScope() { context_.leave_to(std::move(before_)); }
  InnerScope(const InnerScope&) = delete;
  InnerScope& operator=(const InnerScope&) = delete;

 private:
  Context& context_;
  std::shared_ptr<Scope> before_;
};

}  // namespace kvmesh::llm::jinja

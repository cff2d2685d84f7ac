#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "llm/text/jinja/value.hpp"

namespace kvmesh::llm::jinja {

/// The names of one scope; what is not here is looked for in the scope around.
struct Scope {
  std::map<std::string, Value> names;
  Scope* around = nullptr;
};

/// One rendering: its scopes, its clock, the line it is at. For one thread.
class Context {
 public:
  explicit Context(std::optional<std::chrono::system_clock::time_point> now) : now_(now) { enter(nullptr); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  /// Namespaces may hold themselves; they are emptied, so that they go.
  ~Context();

  Value find(const std::string& name) const;
  void set(const std::string& name, Value value) { scope_->names.insert_or_assign(name, std::move(value)); }

  Scope* scope() { return scope_; }
  /// A new scope inside `around` becomes the current one. Scopes live as long as the rendering, since a macro keeps the
  /// scope that it was defined in.
  void enter(Scope* around);
  void leave_to(Scope* scope) { scope_ = scope; }

  std::shared_ptr<Namespace> make_namespace();

  std::optional<std::chrono::system_clock::time_point> now() const { return now_; }
  int line() const { return line_; }
  void at_line(int line) { line_ = line; }

  /// How deep macros call each other. Throws TemplateError where this cannot be meant.
  void enter_call();
  void leave_call() { --calls_; }

 private:
  std::optional<std::chrono::system_clock::time_point> now_;
  std::deque<Scope> scopes_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  Scope* scope_ = nullptr;
  int line_ = 0;
  int calls_ = 0;
};

}  // namespace kvmesh::llm::jinja

#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {

Context::Context(std::size_t input_bytes, std::optional<TimePoint> now) : budget_(input_bytes), now_(now) {
  enter(nullptr);
}

Context::~Context() { graveyard_.empty_all(); }

Value Context::find(std::string_view name) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->around()) {
    if (const Value* found = scope->names.find(budget_, name)) return *found;
  }
  return Undefined(name);
}

void Context::enter(std::shared_ptr<Scope> around) {
  scope_ = std::make_shared<Scope>(budget_, graveyard_, std::move(around));
}

void Context::refuse_depth() {
  refuse("calls, blocks and expressions are inside each other more than ", kDeepest, " deep, the most that may be");
}

}  // namespace kvmesh::llm::jinja

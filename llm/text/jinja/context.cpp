#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {
namespace {

constexpr int kDeepestCall = 150;

}  // namespace

Context::~Context() {
  for (const auto& names : namespaces_) {
    names->attributes.entries.clear();
    names->call = nullptr;
  }
}

Value Context::find(const std::string& name) const {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->around) {
    const auto found = scope->names.find(name);
    if (found != scope->names.end()) return found->second;
  }
  return Undefined{name};
}

void Context::enter(Scope* around) {
  scopes_.push_back({{}, around});
  scope_ = &scopes_.back();
}

std::shared_ptr<Namespace> Context::make_namespace() {
  namespaces_.push_back(std::make_shared<Namespace>());
  return namespaces_.back();
}

void Context::enter_call() {
  if (++calls_ > kDeepestCall) throw TemplateError("macros call each other without an end");
}

}  // namespace kvmesh::llm::jinja

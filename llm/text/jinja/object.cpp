#include "llm/text/jinja/object.hpp"

#include "llm/text/jinja/context.hpp"

namespace kvmesh::llm::jinja {

void Graveyard::bury(Grave grave) {
  graves_.push_back(std::move(grave));
  if (std::exchange(digging_, true)) return;
  while (!graves_.empty()) {
    const Grave gone = std::move(graves_.back());  // its end may bury others
    graves_.pop_back();
  }
  digging_ = false;
}

void Graveyard::empty_all() {
  digging_ = true;
  for (Holder* holder = alive_; holder != nullptr; holder = holder->next_) {
    graves_.push_back({std::exchange(holder->names, {}), std::exchange(holder->items, {})});
  }
  digging_ = false;
  bury({});
}

Holder::Holder(Graveyard& graveyard) : graveyard_(graveyard), next_(graveyard.alive_) {
  if (next_ != nullptr) next_->previous_ = this;
  graveyard_.alive_ = this;
}

Holder::~Holder() {
  (previous_ != nullptr ? previous_->next_ : graveyard_.alive_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  if (!names.entries.empty() || !items.empty()) graveyard_.bury({std::move(names), std::move(items)});
}

Value Object::attribute(Context&, std::string_view name) { return Undefined(name); }

Value Object::call(Context&, const Arguments&) { refuse(kind(), " cannot be called"); }

Value Namespace::attribute(Context& context, std::string_view name) {
  const Value* found = names.find(context.budget(), name);
  return found != nullptr ? *found : Value(Undefined(name));
}

void Namespace::set(Budget& budget, Value name, Value value) {
  charge_.grow(2 * Value::kItemBytes);
  names.set(budget, std::move(name), std::move(value));
}

}  // namespace kvmesh::llm::jinja

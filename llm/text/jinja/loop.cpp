#include "llm/text/jinja/compare.hpp"
#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/statement.hpp"

namespace kvmesh::llm::jinja {
namespace {

Flow run_loop(const Loop& loop, const Value& source, std::int64_t depth, Context& context, TextBuilder& out);

/// The variable `loop`: one for all turns. A recursive loop's can be called, and runs the loop over other items, seeing
/// what the loop itself saw. The statement outlives rendering.
class LoopVariable final : public Object {
 public:
  /// `walked`: a list.
  LoopVariable(Context& context, const Loop& loop, Value walked, std::int64_t depth)
      : Object(context.budget(), context.graveyard()), loop_(loop), around_(context.scope()), depth_(depth) {
    items.push_back(std::move(walked));
  }

  void go_to(std::size_t index) { index_ = static_cast<std::int64_t>(index); }

  std::string kind() const override { return "a loop"; }
  bool is_callable() const override { return true; }

  Value attribute(Context& context, std::string_view name) override {
    const std::int64_t count = this->count();
    if (name == "index") return index_ + 1;
    if (name == "index0") return index_;
    if (name == "revindex") return count - index_;
    if (name == "revindex0") return count - index_ - 1;
    if (name == "first") return index_ == 0;
    if (name == "last") return index_ + 1 == count;
    if (name == "length") return count;
    if (name == "depth") return depth_;
    if (name == "depth0") return depth_ - 1;
    if (name == "previtem") return item(index_ - 1, "loop.previtem");
    if (name == "nextitem") return item(index_ + 1, "loop.nextitem");
    if (name == "cycle" || name == "changed") return method(context, name);
    return Undefined(name);
  }

  Value call(Context& context, const Arguments& arguments) override {
    if (!loop_.recursive) refuse("the loop is not marked 'recursive', so it cannot be called");
    const Value inner = Bound("loop", arguments, {"items"}).need("items");
    const InnerScope scope(context, around_);
    TextBuilder text(context.budget());
    run_loop(loop_, inner, depth_ + 1, context, text);
    return text.take_value();
  }

 private:
  std::int64_t count() const {
    return items.empty() ? 0 : static_cast<std::int64_t>(items.front().list().items.size());
  }

  Value item(std::int64_t at, const char* name) const {
    if (at < 0 || at >= count()) return Undefined(name);
    return items.front().list().items[static_cast<std::size_t>(at)];
  }

  Value method(Context& context, std::string_view name) {
    const auto self = std::static_pointer_cast<LoopVariable>(shared_from_this());
    const bool cycle = name == "cycle";
    return Value(context.budget(), Function{cycle ? "loop.cycle" : "loop.changed",
                                            [self, cycle](Context& running, const Arguments& arguments) {
                                              return cycle ? self->cycle(arguments) : self->changed(running, arguments);
                                            },
                                            1,
                                            {}});
  }

  Value cycle(const Arguments& arguments) const {
    const auto& values = arguments.positional;
    if (values.empty()) refuse("loop.cycle needs values");
    return values[static_cast<std::size_t>(index_) % values.size()];
  }

  /// Was it called with other values the last time?
  Value changed(Context& context, const Arguments& arguments) {
    static const Value kLast = Value::constant("changed");
    Budget& budget = context.budget();
    Value now = Value::tuple(budget, arguments.positional);
    const Value* last = names.find(budget, kLast);
    if (last != nullptr && equal(budget, *last, now)) return false;
    names.set(budget, kLast, std::move(now));
    return true;
  }

  const Loop& loop_;
  std::shared_ptr<Scope> around_;
  std::int64_t depth_;
  std::int64_t index_ = 0;
};

/// What the loop walks over, as a list: what its condition lets through.
Value walked_items(const Loop& loop, const Value& source, Context& context) {
  const bool is_list = source.is_list() && !source.is(ListKind::kGenerator);
  const Value all = is_list ? source : Value::list(context.budget(), source.items(context.budget()));
  if (!loop.condition) return all;
  std::vector<Value> chosen;
  for (const Value& item : all.list().items) {
    const InnerScope scope(context, context.scope());
    assign(context, loop.target, item);
    if (loop.condition->evaluate(context).truthy()) chosen.push_back(item);
  }
  return Value::list(context.budget(), std::move(chosen));
}

Flow run_loop(const Loop& loop, const Value& source, std::int64_t depth, Context& context, TextBuilder& out) {
  static const Value kName = Value::constant("loop");
  const Value walked = walked_items(loop, source, context);
  const std::vector<Value>& items = walked.list().items;
  const std::shared_ptr<Scope> around = context.scope();
  if (items.empty()) {
    const InnerScope scope(context, around);
    return run_body(loop.otherwise, context, out);
  }
  const auto variable = std::make_shared<LoopVariable>(context, loop, walked, depth);
  for (std::size_t index = 0; index < items.size(); ++index) {
    const Deeper deeper(context);
    const InnerScope scope(context, around);
    variable->go_to(index);
    assign(context, loop.target, items[index]);
    context.set(kName, Value(std::shared_ptr<Object>(variable)));
    if (run_body(loop.body, context, out) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

}  // namespace

StatementPointer make_for(Loop loop) {
  return make_statement([loop = std::move(loop)](Context& context, TextBuilder& out) {
    return run_loop(loop, loop.items->evaluate(context), /*depth=*/1, context, out);
  });
}

}  // namespace kvmesh::llm::jinja

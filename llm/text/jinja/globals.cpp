#include "llm/text/jinja/library.hpp"
#include "llm/text/jinja/print.hpp"

namespace kvmesh::llm::jinja {
namespace {

Value range(Context& context, const Arguments& arguments) {
  if (!arguments.keyword.empty()) refuse("'range' takes its arguments without names");
  const Bound bound("range", arguments, {"start", "stop", "step"});
  const std::int64_t first = bound.need("start").integer();
  const bool only_stop = arguments.positional.size() == 1;
  return Value::range(context.budget(), only_stop ? 0 : first, only_stop ? first : bound.need("stop").integer(),
                      bound.integer("step", 1));
}

/// The entries of dict(...) and namespace(...): of a mapping or of pairs, and by name.
Dict entries_of(Context& context, const std::string& function, const Arguments& arguments) {
  Budget& budget = context.budget();
  Dict out;
  if (arguments.positional.size() > 1) refuse("'", function, "' takes at most one argument without a name");
  for (const Value& source : arguments.positional) {
    if (source.is_dict()) {
      for (const auto& [key, value] : source.dict().entries) out.set(budget, key, value);
      continue;
    }
    for (const Value& pair : source.items(budget)) {
      const std::vector<Value> parts = pair.items(budget);
      if (parts.size() != 2) refuse("'", function, "' wants pairs, found ", pair.kind());
      out.set(budget, parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.keyword) out.set(budget, Value(budget, name), value);
  return out;
}

Value make_namespace(Context& context, const Arguments& arguments) {
  auto made = std::make_shared<Namespace>(context.budget(), context.graveyard());
  for (auto& [name, value] : entries_of(context, "namespace", arguments).entries) {
    made->set(context.budget(), std::move(name), std::move(value));
  }
  return Value(std::shared_ptr<Object>(std::move(made)));
}

Value make_dict(Context& context, const Arguments& arguments) {
  return Value(context.budget(), entries_of(context, "dict", arguments));
}

Value raise_exception(Context& context, const Arguments& arguments) {
  const Value message = Bound("raise_exception", arguments, {"message"}).need("message");
  refuse("the template refuses: ", str(context.budget(), message));
}

/// joiner(sep): nothing the first time it is called, `sep` from then on.
class Joiner final : public Object {
 public:
  Joiner(Context& context, Value separator) : Object(context.budget(), context.graveyard()) {
    items.push_back(std::move(separator));
  }
  std::string kind() const override { return "a joiner"; }
  bool is_callable() const override { return true; }
  Value call(Context&, const Arguments& arguments) override {
    const Bound none("joiner", arguments, {});
    return std::exchange(used_, true) ? items.front() : Value::constant("");
  }

 private:
  bool used_ = false;
};

/// cycler(a, b, …): next() gives one after the other, over and over.
class Cycler final : public Object {
 public:
  Cycler(Context& context, std::vector<Value> values) : Object(context.budget(), context.graveyard()) {
    charge_.grow(values.size() * Value::kItemBytes);
    items = std::move(values);
  }
  std::string kind() const override { return "a cycler"; }
  Value attribute(Context& context, std::string_view name) override {
    if (name == "current") return items[at_];
    if (name != "next" && name != "reset") return Undefined(name);
    const auto self = std::static_pointer_cast<Cycler>(shared_from_this());
    return Value(context.budget(), Function{std::string(name),
                                            [self, forward = name == "next"](Context&, const Arguments&) {
                                              return forward ? self->next() : self->reset();
                                            },
                                            1,
                                            {}});
  }

  static Value make(Context& context, const Arguments& arguments) {
    if (arguments.positional.empty()) refuse("'cycler' needs values");
    return Value(std::shared_ptr<Object>(std::make_shared<Cycler>(context, arguments.positional)));
  }

 private:
  Value next() {
    const Value now = items[at_];
    at_ = (at_ + 1) % items.size();
    return now;
  }
  Value reset() {
    at_ = 0;
    return nullptr;
  }

  std::size_t at_ = 0;
};

Value make_joiner(Context& context, const Arguments& arguments) {
  const Value separator = Bound("joiner", arguments, {"sep"}).value("sep", Value::constant(", "));
  return Value(std::shared_ptr<Object>(std::make_shared<Joiner>(context, separator)));
}

}  // namespace

void define_globals(Context& context) {
  const auto define = [&](const char* name, Value (*call)(Context&, const Arguments&)) {
    context.define(name, Value::constant(Function{name, call, 1, {}}));
  };
  define("range", range);
  define("dict", make_dict);
  define("namespace", make_namespace);
  define("joiner", make_joiner);
  define("cycler", Cycler::make);
  define("raise_exception", raise_exception);
  define("strftime_now", strftime_now);
}

}  // namespace kvmesh::llm::jinja

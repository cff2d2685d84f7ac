#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "llm/text/jinja/value.hpp"

namespace kvmesh::llm::jinja {

class Holder;

/// Lets go of what scopes and objects hold. A template can make them hold each other in circles and in chains of any
/// length; so whatever a dying one held is destroyed here, one after the other, and not inside its destructor.
class Graveyard {
 public:
  Graveyard() = default;
  Graveyard(const Graveyard&) = delete;
  Graveyard& operator=(const Graveyard&) = delete;

  /// Takes what all that are alive hold, which ends every circle.
  void empty_all();

 private:
  friend class Holder;
  struct Grave {
    Dict names;
    std::vector<Value> items;
  };
  void bury(Grave grave);

  Holder* alive_ = nullptr;  ///< the first of a list
  std::vector<Grave> graves_;
  bool digging_ = false;
};

/// What holds values that may lead back to it. Everything it holds is in `names` and `items`.
class Holder {
 public:
  explicit Holder(Graveyard& graveyard);
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  Dict names;
  std::vector<Value> items;

 protected:
  ~Holder();

 private:
  friend class Graveyard;
  Graveyard& graveyard_;
  Holder* previous_ = nullptr;
  Holder* next_ = nullptr;
};

/// A value that has attributes of its own and may change: a namespace, `loop`, a macro, a cycler, a joiner.
class Object : public Holder, public std::enable_shared_from_this<Object> {
 public:
  Object(Budget& budget, Graveyard& graveyard) : Holder(graveyard), charge_(budget, 256) {}
  virtual ~Object() = default;

  /// "a namespace": for messages.
  virtual std::string kind() const = 0;
  /// Undefined if there is none of that name.
  virtual Value attribute(Context& context, std::string_view name);
  virtual bool is_callable() const { return false; }
  virtual Value call(Context& context, const Arguments& arguments);
  virtual bool is_namespace() const { return false; }

 protected:
  Charge charge_;
};

/// namespace(): its attributes are set by {% set ns.x = … %}.
class Namespace final : public Object {
 public:
  using Object::Object;
  std::string kind() const override { return "a namespace"; }
  Value attribute(Context& context, std::string_view name) override;
  bool is_namespace() const override { return true; }
  void set(Budget& budget, Value name, Value value);
};

}  // namespace kvmesh::llm::jinja

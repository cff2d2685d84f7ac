#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "kvcodec/wire/detail/fields.hpp"

namespace kvmesh::wire::detail {

/// A value in a run of msgpack values as read_msgpack() lays them out: each in the order of the bytes, what an array or
/// a map holds behind it (of a map: key, value, key, value). So it is good only where it stands, and a text only as
/// long as the bytes that were read. Answers Fields in the words of nlohmann::json.
class MsgpackValue {
 public:
  enum class Type : std::uint8_t { kNull, kBoolean, kUnsigned, kNegative, kFloat, kString, kBinary, kArray, kObject };

  /// Steps over whole values, with all that they hold.
  class Iterator {
   public:
    explicit Iterator(const MsgpackValue* at) : at_(at) {}
    const MsgpackValue& operator*() const { return *at_; }
    const MsgpackValue* operator->() const { return at_; }
    Iterator& operator++() {
      at_ += at_->span_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const MsgpackValue* at_;
  };

  bool is_object() const { return type_ == Type::kObject; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_number_integer() const { return type_ == Type::kUnsigned || type_ == Type::kNegative; }
  bool is_number_unsigned() const { return type_ == Type::kUnsigned; }
  const char* type_name() const;

  /// Elements of an array, entries of a map.
  std::size_t size() const { return number_; }
  Iterator begin() const { return Iterator(this + 1); }
  Iterator end() const { return Iterator(this + span_); }

  template <std::integral Integer>
  Integer get() const {
    return static_cast<Integer>(number_);
  }
  template <std::same_as<std::string> Text>
  Text get() const {
    return Text(text());
  }
  std::string_view text() const { return {text_, number_}; }

 private:
  friend class ValueCollector;
  MsgpackValue(Type type, std::uint64_t number, const char* text = nullptr)
      : text_(text), number_(number), type_(type) {}

  const char* text_;
  std::uint64_t number_;    ///< the number itself, in two's complement; the length of a text; what size() says
  std::uint32_t span_ = 1;  ///< of values: this one and all that it holds
  Type type_;
};

/// What `bytes` say; the first value holds all others, and their texts point into `bytes`. Of numbers only whole ones
/// are kept. Throws Error{kReconnect} that names `what`: more than kMaxEnvelopeBytes or kMaxEnvelopeDepth, no msgpack
/// or more than one value of it, a map with a key that is no text or comes twice.
std::vector<MsgpackValue> read_msgpack(const OwnedBytes& bytes, const char* what);

/// Looks behind the last key that it found first: who asks for keys in the order in which they stand finds each at
/// once.
template <>
class Finder<MsgpackValue> {
 public:
  explicit Finder(const MsgpackValue& object) : object_(object), next_(object.begin()) {}

  MsgpackValue::Iterator find(std::string_view key) {
    if (!found_between(next_, object_.end(), key) && !found_between(object_.begin(), next_, key)) return object_.end();
    MsgpackValue::Iterator value = next_;
    ++next_;
    return value;
  }

 private:
  /// Leaves `next_` at the key's value.
  bool found_between(MsgpackValue::Iterator at, MsgpackValue::Iterator end, std::string_view key) {
    while (at != end) {
      const bool found = at->text() == key;
      ++at;
      if (found) return next_ = at, true;
      ++at;
    }
    return false;
  }

  const MsgpackValue& object_;
  MsgpackValue::Iterator next_;  ///< a key, or the end
};

using MsgpackFields = Fields<MsgpackValue>;

}  // namespace kvmesh::wire::detail

#include "kvcodec/wire/detail/msgpack_values.hpp"

#include <algorithm>
#include <array>
#include <msgpack/null_visitor.hpp>
#include <msgpack/unpack.hpp>  // parse.hpp does not compile alone

#include "base/error.hpp"
#include "kvcodec/wire/limits.hpp"

namespace kvmesh::wire::detail {

const char* MsgpackValue::type_name() const {
  switch (type_) {
    case Type::kNull: return "null";
    case Type::kBoolean: return "boolean";
    case Type::kUnsigned:
    case Type::kNegative:
    case Type::kFloat: return "number";
    case Type::kString: return "string";
    case Type::kBinary: return "binary";
    case Type::kArray: return "array";
    case Type::kObject: return "object";
  }
  throw Error(ErrorKind::kGiveUp, cat("a msgpack type with the number ", static_cast<int>(type_), " has no name"));
}

/// What msgpack-c's parser calls for each value, in the order of the bytes. Takes no more values than there are bytes,
/// whatever a head announces, and ends the parse by throwing.
class ValueCollector : public msgpack::null_visitor {
 public:
  ValueCollector(std::size_t bytes, const char* what) : what_(what) {
    values_.reserve(bytes / 4);  // what an envelope has; others grow
  }

  std::vector<MsgpackValue> take() { return std::move(values_); }

  bool visit_nil() { return put(Type::kNull); }
  bool visit_boolean(bool) { return put(Type::kBoolean); }
  bool visit_positive_integer(std::uint64_t number) { return put(Type::kUnsigned, number); }
  /// The signed forms, which hold positive numbers too.
  bool visit_negative_integer(std::int64_t number) {
    return put(number < 0 ? Type::kNegative : Type::kUnsigned, static_cast<std::uint64_t>(number));
  }
  bool visit_float32(float) { return put(Type::kFloat); }
  bool visit_float64(double) { return put(Type::kFloat); }
  bool visit_bin(const char*, std::uint32_t) { return put(Type::kBinary); }
  bool visit_ext(const char*, std::uint32_t) { return put(Type::kBinary); }

  bool visit_str(const char* text, std::uint32_t size) {
    if (in_key_) note_key(std::string_view(text, size));
    in_key_ = false;
    return put(Type::kString, size, text);
  }

  bool start_array(std::uint32_t size) { return open(Type::kArray, size); }
  bool end_array() { return close(); }
  bool start_map(std::uint32_t size) { return open(Type::kObject, size); }
  bool start_map_key() { return in_key_ = true; }
  bool end_map() {
    const Open map = open_[depth_ - 1];
    close();
    if (!map.ascending) check_distinct(values_[map.head]);
    return true;
  }

  void parse_error(std::size_t, std::size_t at) const { refuse(cat("not msgpack at byte ", at)); }
  void insufficient_bytes(std::size_t, std::size_t at) const {
    refuse(cat("not msgpack: it ends at byte ", at, " in the middle of a value"));
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorKind::kReconnect, cat(what_, ": ", reason));
  }

 private:
  using Type = MsgpackValue::Type;

  /// An array or a map whose end has not come.
  struct Open {
    std::size_t head = 0;
    std::string_view last_key;
    bool ascending = true;  ///< then no key comes twice
  };

  bool put(Type type, std::uint64_t number = 0, const char* text = nullptr) {
    if (in_key_)
      refuse(
          cat("not msgpack that is read here: the key of a map is ", MsgpackValue(type, 0).type_name(), ", not text"));
    values_.push_back(MsgpackValue(type, number, text));
    return true;
  }

  bool open(Type type, std::uint32_t size) {
    if (depth_ == open_.size()) refuse(cat("nested more deeply than the limit of ", kMaxEnvelopeDepth, " levels"));
    put(type, size);
    open_[depth_++] = {.head = values_.size() - 1, .last_key = {}, .ascending = true};
    return true;
  }

  bool close() {
    MsgpackValue& head = values_[open_[--depth_].head];
    head.span_ = static_cast<std::uint32_t>(&values_.back() + 1 - &head);
    return true;
  }

  void note_key(std::string_view key) {
    Open& map = open_[depth_ - 1];
    const bool first = values_.size() - 1 == map.head;
    map.ascending = map.ascending && (first || map.last_key < key);
    map.last_key = key;
  }

  void check_distinct(const MsgpackValue& map) const {
    std::vector<std::string_view> keys;
    for (auto at = map.begin(); at != map.end(); ++at) {
      keys.push_back(at->text());
      ++at;
    }
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) refuse(cat("field \"", *twice, "\" comes twice"));
  }

  const char* what_;
  std::vector<MsgpackValue> values_;
  std::array<Open, kMaxEnvelopeDepth> open_;
  std::size_t depth_ = 0;
  bool in_key_ = false;  ///< the next value is a map's key
};

std::vector<MsgpackValue> read_msgpack(const OwnedBytes& bytes, const char* what) {
  if (bytes.size() > kMaxEnvelopeBytes) {
    throw Error(ErrorKind::kReconnect,
                cat(what, ": ", bytes.size(), " bytes long, more than the limit of ", kMaxEnvelopeBytes));
  }
  const std::string_view text = bytes.text();
  ValueCollector values(text.size(), what);
  std::size_t end = 0;
  msgpack::parse(text.data(), text.size(), end, values);
  if (end != text.size()) values.refuse(cat("not msgpack: ", text.size() - end, " bytes follow its end"));
  return values.take();
}

}  // namespace kvmesh::wire::detail

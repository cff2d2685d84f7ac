#include "kvcodec/wire/detail/msgpack_reader.hpp"

#include <algorithm>

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

MsgpackValue::Iterator MsgpackValue::find(std::string_view key) const {
  for (Iterator at = begin(); at != end(); ++at) {
    const bool found = at->text() == key;
    ++at;
    if (found) return at;
  }
  return end();
}

/// One pass over the bytes. Recurses once a level, so depth is stack and has a limit.
class MsgpackReader {
 public:
  MsgpackReader(std::string_view bytes, const char* what) : bytes_(bytes), what_(what) {}

  std::vector<MsgpackValue> read() {
    values_.reserve(bytes_.size() / 4);  // what an envelope has; others grow
    value(/*depth=*/0);
    item_ = at_;
    if (at_ != bytes_.size()) not_msgpack();
    return std::move(values_);
  }

 private:
  using Type = MsgpackValue::Type;

  void value(int depth) {
    item_ = at_;
    const std::uint8_t head = take(1).front();
    if (head < 0x80) return put(Type::kUnsigned, head);
    if (head < 0x90) return map(head & 0x0f, depth);
    if (head < 0xa0) return array(head & 0x0f, depth);
    if (head < 0xc0) return text(head & 0x1f);
    if (head >= 0xe0) return put_signed(static_cast<std::int8_t>(head));
    switch (head) {
      case 0xc0: return put(Type::kNull);
      case 0xc2:
      case 0xc3: return put(Type::kBoolean);
      case 0xc4: return skip(Type::kBinary, number<std::uint8_t>());
      case 0xc5: return skip(Type::kBinary, number<std::uint16_t>());
      case 0xc6: return skip(Type::kBinary, number<std::uint32_t>());
      // An ext's own type is a byte in front of its bytes.
      case 0xc7: return skip(Type::kBinary, 1ull + number<std::uint8_t>());
      case 0xc8: return skip(Type::kBinary, 1ull + number<std::uint16_t>());
      case 0xc9: return skip(Type::kBinary, 1ull + number<std::uint32_t>());
      case 0xca: return skip(Type::kFloat, 4);
      case 0xcb: return skip(Type::kFloat, 8);
      case 0xcc: return put(Type::kUnsigned, number<std::uint8_t>());
      case 0xcd: return put(Type::kUnsigned, number<std::uint16_t>());
      case 0xce: return put(Type::kUnsigned, number<std::uint32_t>());
      case 0xcf: return put(Type::kUnsigned, number<std::uint64_t>());
      case 0xd0: return put_signed(number<std::int8_t>());
      case 0xd1: return put_signed(number<std::int16_t>());
      case 0xd2: return put_signed(number<std::int32_t>());
      case 0xd3: return put_signed(number<std::int64_t>());
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8: return skip(Type::kBinary, 1ull + (1u << (head - 0xd4)));
      case 0xd9: return text(number<std::uint8_t>());
      case 0xda: return text(number<std::uint16_t>());
      case 0xdb: return text(number<std::uint32_t>());
      case 0xdc: return array(number<std::uint16_t>(), depth);
      case 0xdd: return array(number<std::uint32_t>(), depth);
      case 0xde: return map(number<std::uint16_t>(), depth);
      case 0xdf: return map(number<std::uint32_t>(), depth);
      default: not_msgpack();  // 0xc1 means nothing
    }
  }

  void array(std::uint64_t size, int depth) {
    const std::size_t head = open(Type::kArray, size, /*values=*/size, depth);
    for (std::uint64_t i = 0; i < size; ++i) value(depth + 1);
    close(head);
  }

  void map(std::uint64_t size, int depth) {
    const std::size_t head = open(Type::kObject, size, /*values=*/2 * size, depth);
    bool ascending = true;
    std::string_view before;
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::string_view name = key(depth + 1);
      ascending = ascending && (i == 0 || before < name);
      before = name;
      value(depth + 1);
    }
    close(head);
    if (!ascending) check_distinct(head);  // in ascending order no key comes twice
  }

  std::string_view key(int depth) {
    const std::size_t start = at_, index = values_.size();
    value(depth);
    item_ = start;
    if (!values_[index].is_string()) not_msgpack();
    return values_[index].text();
  }

  std::size_t open(Type type, std::uint64_t size, std::uint64_t values, int depth) {
    if (depth == kMaxEnvelopeDepth) refuse(cat("nested more deeply than the limit of ", kMaxEnvelopeDepth, " levels"));
    if (values > bytes_.size() - at_) not_msgpack();  // each takes a byte at least
    put(type, size);
    return values_.size() - 1;
  }

  void close(std::size_t head) { values_[head].span_ = static_cast<std::uint32_t>(values_.size() - head); }

  void check_distinct(std::size_t head) const {
    std::vector<std::string_view> keys;
    const MsgpackValue& map = values_[head];
    for (auto at = map.begin(); at != map.end(); ++at) {
      keys.push_back(at->text());
      ++at;
    }
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) refuse(cat("field \"", *twice, "\" comes twice"));
  }

  void text(std::uint64_t size) { put(Type::kString, size, take(size).data()); }

  void skip(Type type, std::uint64_t size) {
    take(size);
    put(type);
  }

  void put_signed(std::int64_t number) {
    put(number < 0 ? Type::kNegative : Type::kUnsigned, static_cast<std::uint64_t>(number));
  }

  void put(Type type, std::uint64_t number = 0, const char* text = nullptr) {
    values_.push_back(MsgpackValue(type, number, text));
  }

  /// The highest byte first.
  template <typename Integer>
  Integer number() {
    std::uint64_t number = 0;
    for (const char byte : take(sizeof(Integer))) number = number << 8 | static_cast<std::uint8_t>(byte);
    return static_cast<Integer>(number);
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) not_msgpack();
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  [[noreturn]] void not_msgpack() const { refuse(cat("not msgpack from byte ", item_, " on")); }
  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorKind::kReconnect, cat(what_, ": ", reason));
  }

  std::string_view bytes_;
  const char* what_;
  std::vector<MsgpackValue> values_;
  std::size_t at_ = 0;    ///< the next byte
  std::size_t item_ = 0;  ///< where the value begins that is being read
};

std::vector<MsgpackValue> read_msgpack(const OwnedBytes& bytes, const char* what) {
  if (bytes.size() > kMaxEnvelopeBytes) {
    throw Error(ErrorKind::kReconnect,
                cat(what, ": ", bytes.size(), " bytes long, more than the limit of ", kMaxEnvelopeBytes));
  }
  return MsgpackReader(bytes.text(), what).read();
}

}  // namespace kvmesh::wire::detail

#include "llm/model/gguf_metadata.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

using Type = GgufMetadata::Type;
using Value = GgufMetadata::Value;

constexpr std::size_t kLongestKey = 65'535;  // the format's own limit

struct TypeRow {
  const char* name;
  std::size_t bytes;  ///< 0: of no fixed size
};
/// In the order of the enumeration.
constexpr std::array<TypeRow, 13> kTypes = {{{"whole number", 1},
                                             {"whole number", 1},
                                             {"whole number", 2},
                                             {"whole number", 2},
                                             {"whole number", 4},
                                             {"whole number", 4},
                                             {"real number", 4},
                                             {"truth value", 1},
                                             {"text", 0},
                                             {"array", 0},
                                             {"whole number", 8},
                                             {"whole number", 8},
                                             {"real number", 8}}};

const TypeRow& row_of(Type type) { return kTypes[static_cast<std::size_t>(type)]; }
bool is_real(Type type) { return type == Type::kFloat32 || type == Type::kFloat64; }
bool is_whole(Type type) { return !is_real(type) && type != Type::kText && type != Type::kArray; }

template <class T>
T number_at(const char* bytes) {
  T number;
  std::memcpy(&number, bytes, sizeof number);
  return number;
}

/// The whole number at `bytes`; none where int64 cannot hold it.
std::optional<std::int64_t> whole_at(Type type, const char* bytes) {
  switch (type) {
    case Type::kUint8:
    case Type::kBool: return number_at<std::uint8_t>(bytes);
    case Type::kInt8: return number_at<std::int8_t>(bytes);
    case Type::kUint16: return number_at<std::uint16_t>(bytes);
    case Type::kInt16: return number_at<std::int16_t>(bytes);
    case Type::kUint32: return number_at<std::uint32_t>(bytes);
    case Type::kInt32: return number_at<std::int32_t>(bytes);
    case Type::kInt64: return number_at<std::int64_t>(bytes);
    case Type::kUint64: break;
    case Type::kFloat32:
    case Type::kFloat64:
    case Type::kText:
    case Type::kArray: return std::nullopt;
  }
  const auto number = number_at<std::uint64_t>(bytes);
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<double> real_at(Type type, const char* bytes) {
  if (type == Type::kFloat32) return number_at<float>(bytes);
  if (type == Type::kFloat64) return number_at<double>(bytes);
  const auto whole = whole_at(type, bytes);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

Type read_type(GgufCursor& cursor, std::string_view key) {
  const auto type = cursor.number<std::uint32_t>();
  if (type >= kTypes.size())
    fail_input(cursor.file(), ": key \"", key, "\" has a value of type ", type, ", which GGUF does not have");
  return static_cast<Type>(type);
}

/// Takes `count` elements, without looking at what they hold.
std::string_view take(GgufCursor& cursor, Type type, std::uint64_t count) {
  if (type != Type::kText) return cursor.skip(count, row_of(type).bytes);
  const std::size_t begin = cursor.at();
  const char* first = cursor.skip(0, 1).data();
  if (count > cursor.left() / sizeof(std::uint64_t))
    fail_input(cursor.file(), ": claims ", count, " texts in the ", cursor.left(), " bytes that are left of it");
  for (std::uint64_t i = 0; i < count; ++i) cursor.text();
  return {first, cursor.at() - begin};
}

Value read_value(GgufCursor& cursor, std::string_view key) {
  Value value;
  value.type = read_type(cursor, key);
  value.is_array = value.type == Type::kArray;
  if (value.is_array) {
    value.type = read_type(cursor, key);
    value.count = cursor.number<std::uint64_t>();
    if (value.type == Type::kArray)
      fail_input(cursor.file(), ": key \"", key, "\" is an array of arrays, which is not read");
  }
  value.bytes = take(cursor, value.type, value.count);
  return value;
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string shown;
  for (const char c : text.substr(0, kShown)) shown += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  // A character that the cut went through goes whole.
  while (text.size() > kShown && !shown.empty() && (static_cast<unsigned char>(shown.back()) & 0x80) != 0)
    shown.pop_back();
  return text.size() > kShown ? shown + " …" : shown;
}

}  // namespace

template <class T>
T GgufCursor::number() {
  return number_at<T>(skip(1, sizeof(T)).data());
}
template std::uint32_t GgufCursor::number<std::uint32_t>();
template std::uint64_t GgufCursor::number<std::uint64_t>();

std::string_view GgufCursor::text() { return skip(number<std::uint64_t>(), 1); }

std::string_view GgufCursor::name(std::size_t longest, const char* what) {
  const std::size_t from = at_;
  const std::string_view name = text();
  const auto odd = [](char c) { return c < ' ' || c > '~' || c == '"'; };
  if (name.empty() || name.size() > longest || std::any_of(name.begin(), name.end(), odd))
    fail_input(file_, ": what stands at byte ", from, " is no name of a ", what, "; the file is damaged");
  return name;
}

std::string_view GgufCursor::skip(std::uint64_t count, std::size_t size) {
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &bytes) || bytes > left())
    fail_input(file_, ": its header needs ", count, " times ", size, " bytes at byte ", at_, ", and ", left(),
               " are left; the file is truncated or damaged");
  at_ += bytes;
  return bytes_.substr(at_ - bytes, bytes);
}

GgufMetadata GgufMetadata::read(GgufCursor& cursor, std::uint64_t count, OwnedBytes file) {
  GgufMetadata metadata;
  metadata.file_name_ = cursor.file();
  metadata.file_ = std::move(file);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view key = cursor.name(kLongestKey, "key");
    if (!metadata.values_.emplace(key, read_value(cursor, key)).second)
      fail_input(cursor.file(), ": key \"", key, "\" stands there twice");
  }
  return metadata;
}

const Value* GgufMetadata::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void GgufMetadata::fail_type(std::string_view key, const char* expected) const {
  fail_input(file_name_, ": key \"", key, "\" is ", describe(key), ", where ", expected, " is expected");
}

const Value& GgufMetadata::get(std::string_view key, bool array, const char* expected) const {
  const Value* value = find(key);
  if (value == nullptr) fail_input(file_name_, ": key \"", key, "\" is missing");
  if (value->is_array != array) fail_type(key, expected);
  return *value;
}

std::int64_t GgufMetadata::integer(std::string_view key) const {
  const Value& value = get(key, /*array=*/false, "a whole number");
  const auto number = value.type == Type::kBool ? std::nullopt : whole_at(value.type, value.bytes.data());
  if (!number) fail_type(key, "a whole number");
  return *number;
}

double GgufMetadata::real(std::string_view key) const {
  const Value& value = get(key, /*array=*/false, "a number");
  const auto number = value.type == Type::kBool ? std::nullopt : real_at(value.type, value.bytes.data());
  if (!number || !std::isfinite(*number)) fail_type(key, "a number");
  return *number;
}

bool GgufMetadata::flag(std::string_view key) const {
  const Value& value = get(key, /*array=*/false, "true or false");
  if (value.type != Type::kBool) fail_type(key, "true or false");
  return value.bytes[0] != 0;
}

std::string_view GgufMetadata::text(std::string_view key) const {
  const Value& value = get(key, /*array=*/false, "a text");
  if (value.type != Type::kText) fail_type(key, "a text");
  return value.bytes.substr(sizeof(std::uint64_t));
}

std::optional<std::int64_t> GgufMetadata::find_integer(std::string_view key) const {
  return has(key) ? std::optional(integer(key)) : std::nullopt;
}
std::optional<double> GgufMetadata::find_real(std::string_view key) const {
  return has(key) ? std::optional(real(key)) : std::nullopt;
}
std::optional<bool> GgufMetadata::find_flag(std::string_view key) const {
  return has(key) ? std::optional(flag(key)) : std::nullopt;
}
std::optional<std::string_view> GgufMetadata::find_text(std::string_view key) const {
  return has(key) ? std::optional(text(key)) : std::nullopt;
}

std::vector<std::int64_t> GgufMetadata::integers(std::string_view key) const {
  constexpr const char* kExpected = "an array of whole numbers";
  const Value& value = get(key, /*array=*/true, kExpected);
  if (!is_whole(value.type)) fail_type(key, kExpected);
  std::vector<std::int64_t> numbers;
  numbers.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i) {
    const auto number = whole_at(value.type, value.bytes.data() + i * row_of(value.type).bytes);
    if (!number) fail_type(key, "an array of numbers that fit 64 bits");
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<float> GgufMetadata::reals(std::string_view key) const {
  constexpr const char* kExpected = "an array of numbers";
  const Value& value = get(key, /*array=*/true, kExpected);
  if (!is_real(value.type) && !is_whole(value.type)) fail_type(key, kExpected);
  std::vector<float> numbers;
  numbers.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i) {
    const auto number = real_at(value.type, value.bytes.data() + i * row_of(value.type).bytes);
    if (!number) fail_type(key, kExpected);
    numbers.push_back(static_cast<float>(*number));
  }
  return numbers;
}

std::vector<std::string_view> GgufMetadata::texts(std::string_view key) const {
  constexpr const char* kExpected = "an array of texts";
  const Value& value = get(key, /*array=*/true, kExpected);
  if (value.type != Type::kText) fail_type(key, kExpected);
  GgufCursor cursor(file_name_, value.bytes);
  std::vector<std::string_view> texts;
  texts.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i) texts.push_back(cursor.text());
  return texts;
}

std::string GgufMetadata::describe(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return "missing";
  if (value->is_array) return cat('[', value->count, ' ', row_of(value->type).name, value->count == 1 ? "" : "s", ']');
  if (value->type == Type::kText) return cat('"', shortened(value->bytes.substr(sizeof(std::uint64_t))), '"');
  if (value->type == Type::kBool) return value->bytes[0] != 0 ? "true" : "false";
  if (is_real(value->type)) return cat(*real_at(value->type, value->bytes.data()));
  const auto whole = whole_at(value->type, value->bytes.data());
  return whole ? cat(*whole) : cat(number_at<std::uint64_t>(value->bytes.data()));
}

}  // namespace kvmesh::llm

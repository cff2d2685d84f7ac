#include "bus/control.hpp"

#include <xxhash.h>

#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "bus/detail/control_fields.hpp"

namespace kvmesh::bus {
namespace {

using nlohmann::json;

template <typename>
inline constexpr bool kIsVector = false;
template <typename T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <typename>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

/// Calls `visit` with each field of T in turn.
template <typename T, typename Visit>
void for_each_field(Visit visit) {
  std::apply([&](const auto&... fields) { (visit(fields), ...); }, detail::kFields<T>);
}

template <typename T>
json write(const T& value);

template <typename T>
json write_fields(const T& value) {
  json object = json::object();
  for_each_field<T>([&](const auto& field) {
    // A value that is not there has no key, so that an absent key and null mean the same to every reader; but a key
    // that must be there says null, so that its loss is no meaning.
    json written = write(value.*(field.member));
    if (field.required || !written.is_null()) object[field.name] = std::move(written);
  });
  return object;
}

template <typename T>
json write(const T& value) {
  if constexpr (std::is_same_v<T, ErrorKind>) {
    return to_string(value);
  } else if constexpr (kIsOptional<T>) {
    return value ? write(*value) : json(nullptr);
  } else if constexpr (kIsVector<T>) {
    json array = json::array();
    for (const auto& one : value) array.push_back(write(one));
    return array;
  } else if constexpr (std::is_class_v<T> && !std::is_same_v<T, std::string>) {
    return write_fields(value);
  } else {
    return value;
  }
}

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::kReconnect, cat("cannot read a control message: ", what));
}

/// Where in a message we are reading: its type, and the way to the field, as "inbound[1].topic".
struct Place {
  const char* type;
  std::string path;

  Place field(const char* name) const { return {type, path.empty() ? std::string(name) : cat(path, '.', name)}; }
  Place element(std::size_t index) const { return {type, cat(path, '[', index, ']')}; }
};

[[noreturn]] void fail_type(const Place& place, const json& value, const char* wanted) {
  fail(cat("\"", place.type, "\" has a field \"", place.path, "\" of type ", value.type_name(), " that should be ",
           wanted));
}

template <typename Number>
void read_integer(const json& value, const Place& place, Number& into) {
  if (!value.is_number_integer()) fail_type(place, value, "a whole number");
  const bool fits = value.is_number_unsigned() ? std::in_range<Number>(value.get<std::uint64_t>())
                                               : std::in_range<Number>(value.get<std::int64_t>());
  if (!fits) {
    fail(cat("\"", place.type, "\" has a field \"", place.path, "\" of ", value.dump(), ", outside of ",
             std::numeric_limits<Number>::min(), " to ", std::numeric_limits<Number>::max()));
  }
  into = value.get<Number>();
}

template <typename T>
void read(const json& value, const Place& place, T& into);

template <typename T>
void read_fields(const json& value, const Place& place, T& into) {
  if (!value.is_object()) fail_type(place, value, "an object");
  for_each_field<T>([&](const auto& field) {
    const auto found = value.find(field.name);
    if (found != value.end()) read(*found, place.field(field.name), into.*(field.member));
    else if (field.required) fail(cat("\"", place.type, "\" has no field \"", place.field(field.name).path, "\""));
  });
}

template <typename T>
void read(const json& value, const Place& place, T& into) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) fail_type(place, value, "a string");
    into = value.get_ref<const std::string&>();
  } else if constexpr (kIsOptional<T>) {
    if (value.is_null()) return;
    read(value, place, into.emplace());
  } else if constexpr (std::is_same_v<T, ErrorKind>) {
    if (!value.is_string()) fail_type(place, value, "a string");
    into = error_kind_from_string(value.get_ref<const std::string&>());
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) fail_type(place, value, "true or false");
    into = value.get<bool>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number()) fail_type(place, value, "a number");
    into = value.get<double>();
  } else if constexpr (std::is_integral_v<T>) {
    read_integer(value, place, into);
  } else if constexpr (kIsVector<T>) {
    if (!value.is_array()) fail_type(place, value, "an array");
    into.reserve(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) read(value[i], place.element(i), into.emplace_back());
  } else {
    read_fields(value, place, into);
  }
}

/// Reads the message whose type is called `type`, trying one alternative of Control after the other.
template <std::size_t I = 0>
Control read_message(const json& object, const std::string& type) {
  if constexpr (I == std::variant_size_v<Control>) {
    // As JSON, so that what a stranger sends cannot disturb a terminal; and no more of it than one needs to see.
    fail(cat("unknown type ",
             json(type.substr(0, 40)).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace)));
  } else {
    using Message = std::variant_alternative_t<I, Control>;
    if (type != detail::kTypeName<Message>) return read_message<I + 1>(object, type);
    Message message;
    read_fields(object, Place{detail::kTypeName<Message>, {}}, message);
    return message;
  }
}

json parse(std::string_view text) {
  const auto limit_depth = [](int depth, json::parse_event_t event, json&) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= kMaxControlDepth) fail(cat("it is nested deeper than ", kMaxControlDepth, " levels"));
    return true;
  };
  try {
    return json::parse(text, limit_depth);
  } catch (const json::exception& error) {
    fail(error.what());
  }
}

/// How the text of a message ends: the key, 16 hex digits, and this.
constexpr std::string_view kSealKey = ",\"xxh3\":\"", kSealEnd = "\"}";
constexpr std::size_t kSealDigits = 16, kSealBytes = kSealKey.size() + kSealDigits + kSealEnd.size();

/// XXH3-64 of all that stands before the digits.
std::string seal_of(std::string_view before) {
  constexpr char kDigits[] = "0123456789abcdef";
  const std::uint64_t hash = XXH3_64bits(before.data(), before.size());
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += kDigits[hash >> shift & 15];
  return digits;
}

/// Throws where the text was damaged; false where it carries no checksum at its end.
bool is_sealed(std::string_view text) {
  if (text.size() < kSealBytes || !text.ends_with(kSealEnd)) return false;
  const std::string_view before = text.substr(0, text.size() - kSealDigits - kSealEnd.size());
  if (!before.ends_with(kSealKey)) return false;
  const std::string_view says = text.substr(before.size(), kSealDigits);
  if (const std::string is = seal_of(before); says != is)
    fail(cat("its checksum is ", is, ", but it says ", json(says).dump(-1, ' ', true, json::error_handler_t::replace),
             ": it was damaged on its way"));
  return true;
}

/// What a build of version 1 says first has no checksum, and is read so that both ends can name the versions.
bool is_of_version_1(const json& object, const std::string& type) {
  const auto version = object.find("version");
  return type == detail::kTypeName<Refused> ||
         (type == detail::kTypeName<Join> && version != object.end() && *version == 1);
}

/// What a reader must know who takes layers by loss.
constexpr const char* kNeedsLoss = "loss";

template <typename Message>
bool needs_loss(const Message& message) {
  if constexpr (std::is_same_v<Message, Task>) return !message.search.empty();
  else if constexpr (std::is_same_v<Message, Scores>) return !message.edge.path.empty();
  else return false;
}

/// Whatever else a message holds, these name what a reader must know to take it right.
void check_needs(const json& object) {
  const auto needs = object.find("needs");
  if (needs == object.end()) return;
  if (!needs->is_array()) fail(cat("its \"needs\" is of type ", needs->type_name(), " and should be an array"));
  for (const json& need : *needs)
    if (need != kNeedsLoss)
      fail(cat("it needs ", need.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 60),
               ", which this build does not know; run the newer kvmesh at both ends"));
}

}  // namespace

OwnedBytes encode_control(const Control& message) {
  const json object = std::visit(
      [](const auto& one) {
        using Message = std::decay_t<decltype(one)>;
        json fields = write_fields(one);
        fields["type"] = detail::kTypeName<Message>;
        if (needs_loss(one)) fields["needs"] = json::array({kNeedsLoss});
        return fields;
      },
      message);
  std::string text = object.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
  text.pop_back();  // the object's end
  text += kSealKey;
  text.append(seal_of(text)).append(kSealEnd);
  return OwnedBytes::from_string(std::move(text));
}

Control decode_control(const OwnedBytes& body) {
  if (body.size() > kMaxControlBytes) fail(cat("it has ", body.size(), " bytes and may have ", kMaxControlBytes));
  if (body.empty()) fail("it has no body; it is no control message, or a piece of one without those before it");
  const bool sealed = is_sealed(body.text());
  const json object = parse(body.text());
  if (!object.is_object()) fail(cat("it is of JSON type ", object.type_name(), " and should be an object"));
  const auto type = object.find("type");
  if (type == object.end() || !type->is_string()) fail("it has no \"type\", which should be a string");
  const std::string& name = type->get_ref<const std::string&>();
  if (!sealed && !is_of_version_1(object, name))
    fail(cat("it does not end with its checksum, \"xxh3\": it was damaged on its way, or its sender does not speak ",
             "version ", kControlVersion, " of the control protocol"));
  check_needs(object);
  return read_message(object, name);
}

}  // namespace kvmesh::bus

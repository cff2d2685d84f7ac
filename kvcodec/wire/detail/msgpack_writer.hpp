#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace kvmesh::wire::detail {

/// Appends msgpack to a string, each value in its shortest form. Whoever announces a map or an array writes as many
/// entries (a key, then its value) or elements behind it.
class MsgpackWriter {
 public:
  explicit MsgpackWriter(std::string& bytes) : bytes_(bytes) {}

  void map(std::size_t entries) { sized(entries, 0x80, 0xde); }
  void array(std::size_t elements) { sized(elements, 0x90, 0xdc); }

  void write(std::string_view text) {
    if (text.size() < 32) {
      bytes_ += static_cast<char>(0xa0 | text.size());
    } else if (text.size() <= 0xff) {
      number(0xd9, static_cast<std::uint8_t>(text.size()));
    } else {
      sized(text.size(), 0, 0xda);
    }
    bytes_ += text;
  }

  template <std::integral Integer>
  void write(Integer value) requires(!std::same_as<Integer, bool>) {
    if constexpr (std::signed_integral<Integer>) {
      if (value < 0) return negative(value);
    }
    positive(static_cast<std::uint64_t>(value));
  }

  /// Nine bytes, whatever the value: a number that is to be filled in later has its place.
  void write_uint64(std::uint64_t value) { number(0xcf, value); }

  void entry(std::string_view key, const auto& value) {
    write(key);
    write(value);
  }

 private:
  void sized(std::size_t size, std::uint8_t fixed, std::uint8_t head16) {
    if (size < 16) {
      bytes_ += static_cast<char>(fixed | size);
    } else if (size <= 0xffff) {
      number(head16, static_cast<std::uint16_t>(size));
    } else {
      number(head16 + 1, static_cast<std::uint32_t>(size));
    }
  }

  void positive(std::uint64_t value) {
    if (value < 0x80) {
      bytes_ += static_cast<char>(value);
    } else if (value <= 0xff) {
      number(0xcc, static_cast<std::uint8_t>(value));
    } else if (value <= 0xffff) {
      number(0xcd, static_cast<std::uint16_t>(value));
    } else if (value <= 0xffffffff) {
      number(0xce, static_cast<std::uint32_t>(value));
    } else {
      number(0xcf, value);
    }
  }

  void negative(std::int64_t value) {
    if (value >= -32) {
      bytes_ += static_cast<char>(value);
    } else if (value >= std::numeric_limits<std::int8_t>::min()) {
      number(0xd0, static_cast<std::uint8_t>(value));
    } else if (value >= std::numeric_limits<std::int16_t>::min()) {
      number(0xd1, static_cast<std::uint16_t>(value));
    } else if (value >= std::numeric_limits<std::int32_t>::min()) {
      number(0xd2, static_cast<std::uint32_t>(value));
    } else {
      number(0xd3, static_cast<std::uint64_t>(value));
    }
  }

  /// `head`, then the bytes of `value`, the highest first.
  template <std::unsigned_integral Unsigned>
  void number(int head, Unsigned value) {
    std::array<char, 1 + sizeof value> bytes{static_cast<char>(head)};
    for (std::size_t i = 0; i < sizeof value; ++i) {
      bytes[sizeof value - i] = static_cast<char>(std::uint64_t{value} >> (8 * i));
    }
    bytes_.append(bytes.data(), bytes.size());
  }

  std::string& bytes_;
};

}  // namespace kvmesh::wire::detail

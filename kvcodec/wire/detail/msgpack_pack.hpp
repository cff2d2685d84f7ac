#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <msgpack/pack.hpp>
#include <string>
#include <string_view>

namespace kvmesh::wire::detail {

/// Where msgpack-c's packer writes to: behind what a string holds already.
struct StringBuffer {
  std::string& bytes;
  void write(const char* data, std::size_t size) { bytes.append(data, size); }
};

/// Writes each value in its shortest form. Whoever announces a map or an array writes as many entries (a key, then its
/// value) or elements behind it.
using Packer = msgpack::packer<StringBuffer>;

inline void write_value(Packer& out, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  out.pack_str(size).pack_str_body(text.data(), size);
}

template <std::integral Integer>
void write_value(Packer& out, Integer value) requires(!std::same_as<Integer, bool>) {
  if constexpr (std::signed_integral<Integer>) out.pack_int64(value);
  else out.pack_uint64(value);
}

void write_entry(Packer& out, std::string_view key, const auto& value) {
  write_value(out, key);
  write_value(out, value);
}

inline void write_map(Packer& out, std::size_t entries) { out.pack_map(static_cast<std::uint32_t>(entries)); }
inline void write_array(Packer& out, std::size_t elements) { out.pack_array(static_cast<std::uint32_t>(elements)); }

}  // namespace kvmesh::wire::detail

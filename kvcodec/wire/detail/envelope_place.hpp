#pragma once

#include <cstddef>
#include <string_view>

#include "kvcodec/wire/edge_spec.hpp"

namespace kvmesh::wire::detail {

/// Keys of an envelope: those of every medium, those that kv has besides, and those of rows that have some heads only.
inline constexpr std::size_t kCommonKeys = 12, kKvKeys = 6, kHeadsKeys = 2;

constexpr std::size_t key_count(Medium kind) { return kCommonKeys + (kind == Medium::kKv ? kKvKeys : 0); }

/// Where in what encode_envelope() writes the eight bytes of `checksum` begin, the highest first. It is the first of
/// the sorted keys and a uint 64 whatever its value, so it can be filled in when all else has been encoded. Two keys
/// more leave the head of a kv map as long as it is.
constexpr std::size_t checksum_place(Medium kind) {
  const std::size_t map_head = key_count(kind) < 16 ? 1 : 3, key = 1 + std::string_view("checksum").size();
  return map_head + key + /*head of a uint 64:*/ 1;
}

}  // namespace kvmesh::wire::detail

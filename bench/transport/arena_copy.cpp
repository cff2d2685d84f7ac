#include "bench/transport/arena_copy.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>

#include "base/bytes.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::bench {

std::size_t last_level_cache_bytes() {
  const long bytes = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? static_cast<std::size_t>(bytes) : std::size_t{64} << 20;
}

ArenaCopy::ArenaCopy() : from_(2 * last_level_cache_bytes(), std::byte{7}), to_(from_.size()) {}

double ArenaCopy::run(std::size_t bytes, std::size_t piece) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < bytes; done += piece) {
    if (at_ + piece > from_.size()) at_ = 0;
    std::memcpy(to_.data() + at_, from_.data() + at_, piece);
    const OwnedBytes copied(nullptr, {to_.data() + at_, piece});
    checksum_ ^= wire::payload_checksum({&copied, 1});
    at_ += piece;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(bytes) / took.count();
}

}  // namespace kvmesh::bench

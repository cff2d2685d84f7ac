#include "bench/transport/arena_copy.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>

#include "base/bytes.hpp"
#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::bench {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// 64 MiB where the processor reports none.
std::size_t last_level_cache_bytes() {
  const long reported = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  const std::size_t bytes = reported > 0 ? static_cast<std::size_t>(reported) : 64 * kMiB;
#if defined(__x86_64__)
  // glibc adds up what a socket has; a core reaches the cache of its own complex, of which the largest has 96 MiB.
  if (__builtin_cpu_is("amd")) return std::min(bytes, 96 * kMiB);
#endif
  return bytes;
}

}  // namespace

std::size_t arena_bytes() { return 2 * last_level_cache_bytes(); }

ArenaCopy::ArenaCopy() : from_(arena_bytes(), std::byte{7}), to_(from_.size()) {}

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

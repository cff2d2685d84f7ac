#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"

/// XXH3-64 over frames as one run of bytes, compiled for several instruction sets: the library's own is built for the
/// least of them, at half the speed. All give the same number; only x86-64 builds have the last two.
namespace kvmesh::wire::detail {

std::uint64_t checksum_generic(std::span<const OwnedBytes> frames);
std::uint64_t checksum_avx2(std::span<const OwnedBytes> frames);
std::uint64_t checksum_avx512(std::span<const OwnedBytes> frames);

}  // namespace kvmesh::wire::detail

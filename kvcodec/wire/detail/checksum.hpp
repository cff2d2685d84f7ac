#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// XXH3-64 of bytes that come piece by piece, compiled for several instruction sets: the library's own is built for the
/// least of them, at half the speed. All give the same number; only x86-64 builds have the last two.
namespace kvmesh::wire::detail {

/// Between begin() and digest(): the library's state, whose header is for the sources that are compiled with it.
struct alignas(64) ChecksumState {
  std::byte bytes[640];
};

struct ChecksumKernels {
  void (*begin)(ChecksumState& state);
  void (*update)(ChecksumState& state, std::span<const std::byte> bytes);
  std::uint64_t (*digest)(const ChecksumState& state);  ///< of all bytes so far
};

const ChecksumKernels& generic_checksum_kernels();
const ChecksumKernels& avx2_checksum_kernels();
const ChecksumKernels& avx512_checksum_kernels();

}  // namespace kvmesh::wire::detail

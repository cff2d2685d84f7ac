#include "kvcodec/wire/checksum.hpp"

#include <algorithm>
#include <cstring>

#include "kvcodec/wire/detail/checksum.hpp"

namespace kvmesh::wire {
namespace {

/// Fits the second-level cache with room to spare. Measured: 16 to 256 KiB are alike, smaller and larger are slower.
constexpr std::size_t kStep = 64 * 1024;

const detail::ChecksumKernels& kernels() {
#if defined(KVMESH_X86_KERNELS)
  static const detail::ChecksumKernels& best = __builtin_cpu_supports("avx512f") ? detail::avx512_checksum_kernels()
                                               : __builtin_cpu_supports("avx2")  ? detail::avx2_checksum_kernels()
                                                                                 : detail::generic_checksum_kernels();
  return best;
#else
  return detail::generic_checksum_kernels();
#endif
}

}  // namespace

std::uint64_t payload_checksum(std::span<const OwnedBytes> frames) {
  const detail::ChecksumKernels& run = kernels();
  detail::ChecksumState state;
  run.begin(state);
  for (const OwnedBytes& frame : frames) run.update(state, frame.span());
  return run.digest(state);
}

std::uint64_t LateChecksum::get() {
  const std::lock_guard lock(mutex_);
  if (!value_) value_ = payload_checksum(std::exchange(payload_, {}));
  return *value_;
}

std::uint64_t copy_payload(std::span<const OwnedBytes> frames, std::span<std::byte* const> to) {
  const detail::ChecksumKernels& run = kernels();
  detail::ChecksumState state;
  run.begin(state);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::span<const std::byte> bytes = frames[i].span();
    for (std::size_t at = 0; at < bytes.size(); at += kStep) {
      const std::span<const std::byte> step = bytes.subspan(at, std::min(kStep, bytes.size() - at));
      // Copied first: a sender that overwrites shared memory too early is found out, since what was hashed came later.
      std::memcpy(to[i] + at, step.data(), step.size());
      run.update(state, step);
    }
  }
  return run.digest(state);
}

}  // namespace kvmesh::wire

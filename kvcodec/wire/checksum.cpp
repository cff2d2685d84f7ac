#define XXH_STATIC_LINKING_ONLY  // a state on the stack
#include "kvcodec/wire/checksum.hpp"

#include <xxhash.h>
#ifdef KVMESH_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#undef XXH3_64bits_update  // the header makes both names one
#endif

#include <algorithm>
#include <cstring>

#include "base/instruction_set.hpp"

namespace kvmesh::wire {
namespace {

/// Fits the second-level cache with room to spare. Measured: 16 to 256 KiB are alike, smaller and larger are slower.
constexpr std::size_t kStep = 64 * 1024;

using Update = XXH_errorcode (*)(XXH3_state_t* state, const void* bytes, std::size_t count);

/// The library chooses between instruction sets itself and cannot be told to leave one out: under KVMESH_ISA it runs
/// what is compiled for every processor.
Update fastest_update() {
#ifdef KVMESH_XXH_DISPATCH
  static const Update update = instruction_set_limit() ? XXH3_64bits_update : XXH3_64bits_update_dispatch;
  return update;
#else
  return XXH3_64bits_update;
#endif
}

/// XXH3-64 of bytes that come piece by piece.
class Checksum {
 public:
  Checksum() { XXH3_64bits_reset(&state_); }
  void add(std::span<const std::byte> bytes) {
    if (!bytes.empty()) update_(&state_, bytes.data(), bytes.size());
  }
  std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  const Update update_ = fastest_update();
  XXH3_state_t state_;
};

}  // namespace

std::uint64_t payload_checksum(std::span<const OwnedBytes> frames) {
  Checksum checksum;
  for (const OwnedBytes& frame : frames) checksum.add(frame.span());
  return checksum.value();
}

std::uint64_t LateChecksum::get() {
  const std::lock_guard lock(mutex_);
  if (!value_) value_ = payload_checksum(std::exchange(payload_, {}));
  return *value_;
}

std::uint64_t copy_payload(std::span<const OwnedBytes> frames, std::span<std::byte* const> to) {
  Checksum checksum;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::span<const std::byte> bytes = frames[i].span();
    for (std::size_t at = 0; at < bytes.size(); at += kStep) {
      const std::span<const std::byte> step = bytes.subspan(at, std::min(kStep, bytes.size() - at));
      // Copied first: a sender that overwrites shared memory too early is found out, since what was hashed came later.
      std::memcpy(to[i] + at, step.data(), step.size());
      checksum.add(step);
    }
  }
  return checksum.value();
}

}  // namespace kvmesh::wire

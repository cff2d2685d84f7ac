#define XXH_INLINE_ALL  // compiled here, with this file's flags
#include <xxhash.h>

#include "kvcodec/wire/detail/checksum.hpp"

namespace kvmesh::wire {

std::uint64_t detail::checksum_avx512(std::span<const OwnedBytes> frames) {
  alignas(64) XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const OwnedBytes& frame : frames) {
    if (!frame.empty()) XXH3_64bits_update(&state, frame.data(), frame.size());
  }
  return XXH3_64bits_digest(&state);
}

}  // namespace kvmesh::wire

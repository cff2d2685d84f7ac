#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace kvmesh::wire {

/// XXH3-64 (seed 0) over the frames, as if they were one run of bytes. Safe from any thread, as copy_payload().
std::uint64_t payload_checksum(std::span<const OwnedBytes> frames);

/// The checksum of payload frames, computed when it is first asked for. Safe from any thread.
class LateChecksum {
 public:
  explicit LateChecksum(std::vector<OwnedBytes> payload) : payload_(std::move(payload)) {}
  std::uint64_t get();

 private:
  std::mutex mutex_;  // std::call_once would make a system call for each
  std::vector<OwnedBytes> payload_;
  std::optional<std::uint64_t> value_;
};

/// Copies each frame to the place of the same number, which has room for it and overlaps no frame, and returns the
/// frames' payload_checksum(): in steps that stay in the processor's cache, so that memory is read once for both. `to`
/// has a place for each frame; an empty frame's is not looked at.
std::uint64_t copy_payload(std::span<const OwnedBytes> frames, std::span<std::byte* const> to);

}  // namespace kvmesh::wire

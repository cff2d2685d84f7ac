#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kvmesh::bench {

/// The least that a copy between two caches could cost: one thread copies pieces out of one arena into another, both
/// larger than the last-level cache, and computes each piece's checksum as the wire does.
class ArenaCopy {
 public:
  ArenaCopy();
  /// Copies `bytes` in pieces of `piece`; returns bytes a second.
  double run(std::size_t bytes, std::size_t piece);
  std::uint64_t checksum() const { return checksum_; }

 private:
  std::vector<std::byte> from_, to_;
  std::size_t at_ = 0;
  std::uint64_t checksum_ = 0;
};

/// Of memory that is gone through again and again and is to come from memory each time: twice the last-level cache.
std::size_t arena_bytes();

}  // namespace kvmesh::bench

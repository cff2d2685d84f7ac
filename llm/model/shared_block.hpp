#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "base/bytes.hpp"

namespace kvmesh::llm {

/// Memory that is made once and then read by every process of this user on this host that asks for the same key
/// (docs/decisions/0016-weights-are-made-once-a-host.md). It belongs to no file: the kernel frees it when the last
/// process that maps it ends, however that ends.
class SharedBlock {
 public:
  /// Writes all bytes of a block; what it throws ends get(), and the next process makes the block.
  using Make = std::function<void(std::span<std::byte> bytes)>;

  /// The block of `key`: that of another process, or of `make`. While one process makes it, others wait. Where memory
  /// cannot be shared here (no memfd, a folder that is not ours) the block is this process's own. Throws Error{kGiveUp}
  /// soon after `stop` is requested, and where there is no memory. `key` must tell apart all that `make` may write.
  static OwnedBytes get(std::uint64_t key, std::size_t size, const Make& make, const std::stop_token& stop = {});
};

}  // namespace kvmesh::llm

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::kvcodec {

/// What one layer shares: one row per token. Keys are rotated (RoPE) at their positions. Copying a LayerKv shares the
/// tensors' memory, which nobody may write to any more.
struct LayerKv {
  at::Tensor keys;                             ///< [tokens, kv_heads, head_dim]
  at::Tensor values;                           ///< [tokens, kv_heads, head_dim]
  std::vector<wire::PositionRange> positions;  ///< of the rows, in row order

  /// Number of rows; 0 where there are no keys.
  std::int64_t tokens() const { return keys.defined() ? keys.size(0) : 0; }
};

}  // namespace kvmesh::kvcodec

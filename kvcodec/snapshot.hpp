#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "kvcodec/wire/envelope.hpp"

namespace kvmesh::kvcodec {

/// What one layer shares: a row a token. Keys are rotated (RoPE) at their positions. Copying a LayerKv shares the
/// tensors' memory, which nobody may write to any more.
struct LayerKv {
  at::Tensor keys;                             ///< [tokens, kv_heads, head_dim]
  at::Tensor values;                           ///< [tokens, kv_heads, head_dim]
  std::vector<wire::PositionRange> positions;  ///< of the rows, in row order

  /// Number of rows; 0 where there are no keys.
  std::int64_t tokens() const { return keys.defined() ? keys.size(0) : 0; }
};

/// What one sender shares for one request. A value; copying shares the tensors' memory.
struct KvSnapshot {
  std::vector<std::optional<LayerKv>> layers;  ///< by receiver layer; none: nothing of this sender is there
  std::int64_t context_start = 0;              ///< position of the sender's own first token
  std::int64_t context_end = 0;                ///< one past its last: where a lone receiver's tokens begin
};

}  // namespace kvmesh::kvcodec

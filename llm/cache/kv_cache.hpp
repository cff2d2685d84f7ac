#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "llm/cache/row_range.hpp"

namespace kvmesh::llm {

/// Keys and values of one layer, token-major, so that a run of tokens is one piece of memory: the sink, a chunk, a
/// whole context leave without a gather. Rows are only ever added; a view of rows that are there stays valid and
/// unchanged for as long as somebody holds it, also when the cache grows into new memory. One thread at a time.
class LayerCache {
 public:
  /// On the CPU the rows stand in memory of `room` where that has any, else, and without it, in libtorch's own.
  LayerCache(std::int64_t capacity, std::int64_t kv_heads, std::int64_t head_dim, at::TensorOptions options,
             MakeRoom room = nullptr);

  std::int64_t length() const { return static_cast<std::int64_t>(positions_.size()); }
  at::Tensor keys() const { return keys_.narrow(0, 0, length()); }      ///< [length, kv_heads, head_dim]
  at::Tensor values() const { return values_.narrow(0, 0, length()); }  ///< [length, kv_heads, head_dim]
  /// Position of each row in the sequence; keys are rotated by it.
  const std::vector<std::int64_t>& positions() const { return positions_; }
  /// Whether no row stands before one of a smaller position.
  bool in_order() const { return in_order_; }

  /// Adds rows, copied and converted to the cache's dtype and device. `keys`, `values`: [tokens, kv_heads, head_dim].
  void append(const at::Tensor& keys, const at::Tensor& values, const std::vector<std::int64_t>& positions);
  struct Rows {
    at::Tensor keys, values;  ///< [rows, kv_heads, head_dim]
  };
  /// Where the next `rows` rows will stand, for the caller to write. They are none of the cache's before extend() has
  /// been given their positions, so that what turns out wrong is simply written again.
  Rows behind(std::int64_t rows);
  /// As append(), but the rows are the caller's to write, into the views that are returned, before anybody reads them,
  /// or stand there already, see behind().
  Rows extend(const std::vector<std::int64_t>& positions);
  /// Adds `rows` rows at the owner's next positions, for the caller to write into key_store() and value_store() before
  /// anybody reads them; gives the first one's number. Allocates nothing where reserve() has made room.
  std::int64_t extend_own(std::int64_t rows);
  at::Tensor& key_store() { return keys_; }      ///< [capacity, kv_heads, head_dim]
  at::Tensor& value_store() { return values_; }  ///< [capacity, kv_heads, head_dim]
  const at::Tensor& key_store() const { return keys_; }
  const at::Tensor& value_store() const { return values_; }
  /// Room for `capacity` rows in all; grows by doubling.
  void reserve(std::int64_t capacity);
  /// Takes the owner's last rows away again. Not for rows that somebody was given a view of.
  void drop_own(std::int64_t rows);
  /// Rows [rows.begin, rows.end), behind any that were hidden from it before, are none of KV head `head`'s: its queries
  /// do not see them, and what stands there is not read on a CPU; elsewhere it must be finite.
  void hide(std::int64_t head, RowRange rows);
  /// Whether every head has every row.
  bool heads_alike() const { return hidden_ends_.empty(); }
  /// What was hidden, head after head, each ascending: that of `head` ends at hidden_ends()[head]. Not heads_alike().
  const std::vector<RowRange>& hidden() const { return hidden_; }
  const std::vector<std::int64_t>& hidden_ends() const { return hidden_ends_; }
  /// The same rows in memory of their own.
  LayerCache copy() const;
  /// What others shared, in memory of its own with room for `own_rows`, open to them as it was before the owner's own
  /// rows came. Without rows [left_out_begin, left_out_end), the rest as it stands.
  LayerCache shared_alone(std::int64_t own_rows, std::int64_t left_out_begin = 0, std::int64_t left_out_end = 0) const;
  /// The same rows in the same memory: of all such views and this cache, at most one may add rows at a time.
  LayerCache view() const { return *this; }

  /// The position that the next token of this cache's owner takes here. The same at every layer, save where an edge
  /// reproduces the released code's compact positions.
  std::int64_t next_position = 0;
  /// Rows that were there before the owner's own first token: what others shared. Seen by every query.
  std::int64_t shared_rows = 0;
  /// Set to reproduce the released code's mask during prefill: the i-th own token sees the columns up to this number
  /// plus i, its own successors among them (docs/method.md). Unset: causal.
  std::optional<std::int64_t> authors_mask_context;

 private:
  at::Tensor make_store(at::IntArrayRef sizes, at::TensorOptions options) const;

  MakeRoom room_;
  at::Tensor keys_;    // [capacity, kv_heads, head_dim]
  at::Tensor values_;  // [capacity, kv_heads, head_dim]
  std::vector<std::int64_t> positions_;
  std::vector<RowRange> hidden_;
  std::vector<std::int64_t> hidden_ends_;  // [kv_heads], or empty
  bool in_order_ = true;                   // kept, since every token at every layer with a window asks
};

/// All layers of one sequence. A resource: moved, never copied.
class KvCache {
 public:
  KvCache(std::int64_t layers, std::int64_t capacity, std::int64_t kv_heads, std::int64_t head_dim,
          at::TensorOptions options, const MakeRoom& room = nullptr);
  explicit KvCache(std::vector<LayerCache> layers) : layers_(std::move(layers)) {}
  KvCache(KvCache&&) = default;
  KvCache& operator=(KvCache&&) = default;

  /// A cache with the same rows in memory of its own.
  KvCache copy() const;

  /// Room for `capacity` rows at every layer.
  void reserve(std::int64_t capacity);
  int layers() const { return static_cast<int>(layers_.size()); }
  std::vector<std::int64_t> lengths() const;  ///< of each layer, its rows
  LayerCache& layer(int l) { return layers_.at(static_cast<std::size_t>(l)); }
  const LayerCache& layer(int l) const { return layers_.at(static_cast<std::size_t>(l)); }

 private:
  KvCache() = default;
  std::vector<LayerCache> layers_;
};

}  // namespace kvmesh::llm

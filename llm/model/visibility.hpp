#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "llm/cache/kv_cache.hpp"

namespace kvmesh::llm {

/// Which rows of a layer's cache its last rows see as queries: always one run of them, less what a head does not have
/// of it (LayerCache::hide).
///   causal   every shared row, the rows before it, itself.
///   window   of those, rows less than `window` positions back. Positions are true ones: a sink at position 0 falls out
///            of the window of a query far behind it, also where nothing lies between the two. Rows that do not stand
///            in the order of their positions (`positions: overlap`) are counted as they lie.
///   authors  in prefill, where LayerCache::authors_mask_context is set: the i-th own token sees the columns up to
///            context + i of the mask that the released code cuts to this cache's rows, its own successors among them,
///            and with a window those less than `window` back from column context + i. Nothing left to see: it averages
///            all rows of the cache alike (docs/method.md).
/// Borrows the cache; a value for one call.
class Visibility {
 public:
  /// `queries`: how many of the cache's last rows ask.
  Visibility(const LayerCache& cache, std::int64_t queries, bool prefill, std::optional<std::int64_t> window);

  /// Rows that query `index` in [0, queries) sees; empty: it averages all rows alike.
  RowRange seen_by(std::int64_t index) const;
  /// The smallest run that holds what queries [begin, begin + count) see.
  RowRange seen_by_block(std::int64_t begin, std::int64_t count) const;
  /// Writes the mask into `scores` [any, any, count, rows.count()], fp32, of these queries with the rows `rows`.
  void mask(at::Tensor scores, std::int64_t begin, RowRange rows) const;

 private:
  const LayerCache& cache_;
  std::int64_t first_query_row_;
  std::optional<std::int64_t> authors_context_;
  std::optional<std::int64_t> window_;
  bool by_position_ = true;
};

}  // namespace kvmesh::llm

#pragma once

#include <cstdint>

namespace kvmesh::llm {

/// Rows [begin, end) of a layer's cache.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t count() const { return end - begin; }
  bool operator==(const RowRange&) const = default;
};

}  // namespace kvmesh::llm

#pragma once

#include <cstdint>

namespace kvmesh::test {

/// Counts what this thread takes from operator new and from libtorch's CPU allocator while it lives. What C libraries
/// take from malloc on their own (OpenMP's teams, for one) is not seen.
class AllocationCount {
 public:
  AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  std::int64_t operator_new() const;
  std::int64_t tensors() const;
};

}  // namespace kvmesh::test

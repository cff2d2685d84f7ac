#pragma once

#include <cstddef>
#include <filesystem>

namespace kvmesh {

/// Where memory_limit() looks; tests name folders of their own.
struct MemoryLimitPlaces {
  std::filesystem::path machine = "/proc/meminfo";     ///< what the machine has
  std::filesystem::path groups = "/proc/self/cgroup";  ///< which control groups this process is in
  std::filesystem::path mounted = "/sys/fs/cgroup";    ///< where they are mounted
};

/// Bytes of memory that this process may use: those of the machine, or fewer where it runs in a container or another
/// control group that is held to fewer (version 1 and 2, its own and every group around it). 0: nobody could say.
/// Swap does not count. Throws nothing but std::bad_alloc.
std::size_t memory_limit(const MemoryLimitPlaces& places = {});

}  // namespace kvmesh

#pragma once

#include <cstdint>
#include <string>

namespace kvmesh::bus {

/// Equal in two processes that can share memory: the running kernel, the mount of /dev/shm as a container may have its
/// own, and the user, as arenas are open to their own user alone. Empty where this process cannot tell.
std::string memory_host();

/// Removes what a process of ours left in /dev/shm: an arena that was made but not yet mapped when it died. Nothing
/// where it left nothing.
void remove_shared_memory_of(std::int64_t pid);

}  // namespace kvmesh::bus

#pragma once

#include <string>

namespace kvmesh::bus {

/// Equal in two processes that can share memory: the running kernel, the process numbers that a container may have of
/// its own, and the user, as arenas are open to their own user alone. Empty where this process cannot tell.
std::string memory_host();

}  // namespace kvmesh::bus

#pragma once

#include <cstddef>
#include <cstdint>

namespace kvmesh::agents {

/// Bytes that an agent may keep of received blocks, and as many again of its own prompts' caches. `mib`: what the
/// topology says, 0 for nothing; below 0 it says nothing: a sixteenth of the machine's memory, at most 1 GiB.
std::size_t keep_budget(std::int64_t mib);

}  // namespace kvmesh::agents

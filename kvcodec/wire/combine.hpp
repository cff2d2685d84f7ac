#pragma once

namespace kvmesh::wire {

/// How an activation enters the receiver's state.
enum class Combine { kReplace, kSum, kMean };

}  // namespace kvmesh::wire

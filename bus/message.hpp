#pragma once

#include <vector>

#include "base/bytes.hpp"

namespace kvmesh::bus {

/// One frame of a multipart message. Sent without a copy: ZeroMQ keeps the owner until the bytes have left. Received
/// without a copy: the owner is the ZeroMQ message, and the bytes start at no particular alignment.
using Frame = OwnedBytes;

/// The frames of one multipart message, in order. Whole or not at all: ZeroMQ never delivers a part of one.
using Message = std::vector<Frame>;

}  // namespace kvmesh::bus

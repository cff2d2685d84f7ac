#pragma once

#include <memory>
#include <zmq.hpp>

#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// `frame` as a ZeroMQ message that shares its bytes. `keeps` is held with the frame's owner until ZeroMQ lets go of
/// the bytes, which happens on ZeroMQ's own thread.
zmq::message_t to_zmq(Frame frame, std::shared_ptr<const void> keeps = nullptr);

/// A received ZeroMQ message as a frame that shares its bytes.
Frame from_zmq(zmq::message_t message);

/// Takes a whole multipart message off `socket` without waiting; empty when there is none.
Message receive_now(zmq::socket_ref socket);

/// Hands `message` to `socket` without waiting. 0, or the errno of what went wrong; `message` is then still the
/// caller's.
int send_now(zmq::socket_ref socket, zmq::message_t& message, bool more);

}  // namespace kvmesh::bus::detail

#pragma once

#include <zmq.hpp>

#include "bus/detail/connection_events.hpp"

namespace kvmesh::bus::detail {

/// Tells when the connection that a connecting socket has made comes to its end. A connection that never was one, as
/// nobody listened or what listened does not speak ZeroMQ, does not end. One thread at a time, and destroyed before the
/// socket.
class ConnectionWatch {
 public:
  /// To be made before `connecting` is connected.
  ConnectionWatch(zmq::context_t& context, zmq::socket_ref connecting);

  /// Can be read when has_ended() may have something new to say.
  int descriptor() const { return events_.descriptor(); }
  /// Whether a connection has ended since the last call.
  bool has_ended();

 private:
  ConnectionEvents events_;
  bool connected_ = false;
};

}  // namespace kvmesh::bus::detail

#pragma once

#include <zmq.hpp>

#include "bus/detail/socket.hpp"

namespace kvmesh::bus::detail {

/// Gives each connection that a bound ipc socket accepts a send buffer of kBytes, or of what net.core.wmem_max allows.
/// In the kernel's own, 208 KiB, the two ends' threads wait for each other five times a MiB. libzmq 4.3.4 applies
/// ZMQ_SNDBUF to TCP alone; its monitor names the descriptors that it accepts. One thread at a time, and destroyed
/// before the socket.
class SendBuffers {
 public:
  /// Measured: docs/results.md, "Transport".
  static constexpr int kBytes = 512 << 10;

  /// To be made before `bound` is bound.
  SendBuffers(zmq::context_t& context, zmq::socket_ref bound);
  ~SendBuffers();
  SendBuffers(const SendBuffers&) = delete;
  SendBuffers& operator=(const SendBuffers&) = delete;

  /// Can be read when a connection was accepted.
  int descriptor() const { return accepted_.descriptor(); }
  /// Deals with the connections that were accepted since.
  void enlarge();

 private:
  zmq::socket_ref bound_;
  Socket accepted_;  ///< ZeroMQ's events
};

}  // namespace kvmesh::bus::detail

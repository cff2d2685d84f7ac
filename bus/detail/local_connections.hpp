#pragma once

#include <zmq.hpp>

#include "bus/detail/socket.hpp"

namespace kvmesh::bus::detail {

/// Sets on the connections that a bound socket accepts from its own host what ZeroMQ has no option for
/// (docs/results.md, "Transport", says what was measured):
/// - ipc: a send buffer of kSendBytes, or of what net.core.wmem_max allows. In the kernel's own, 208 KiB, the two ends'
///   threads wait for each other five times a MiB. libzmq 4.3.4 applies ZMQ_SNDBUF to TCP alone.
/// - TCP: Reno's congestion control, which every Linux has and allows. Where BBR is the host's, it paces connections
///   that no network lies between, and of several some are slow.
/// One thread at a time, and destroyed before the socket.
class LocalConnections {
 public:
  static constexpr int kSendBytes = 512 << 10;

  /// To be made before `bound` is bound.
  LocalConnections(zmq::context_t& context, zmq::socket_ref bound);
  ~LocalConnections();
  LocalConnections(const LocalConnections&) = delete;
  LocalConnections& operator=(const LocalConnections&) = delete;

  /// Can be read when a connection was accepted.
  int descriptor() const { return accepted_.descriptor(); }
  /// Deals with the connections that were accepted since.
  void set_up();

 private:
  zmq::socket_ref bound_;
  Socket accepted_;  ///< ZeroMQ's events
};

}  // namespace kvmesh::bus::detail

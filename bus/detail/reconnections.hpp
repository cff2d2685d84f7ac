#pragma once

#include <set>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "bus/detail/connection_events.hpp"

namespace kvmesh::bus::detail {

/// Notices that a connection which ended has been made anew, of a socket that connects: ZeroMQ does so by itself and
/// says nothing, but what was under way is lost. One thread at a time, and destroyed before the socket.
class Reconnections {
 public:
  /// To be made before `connecting` connects.
  Reconnections(zmq::context_t& context, zmq::socket_ref connecting);

  /// Can be read when a connection was made.
  int descriptor() const { return made_.descriptor(); }
  /// Endpoints to which a connection has been made since the last call that was not the first, with numeric addresses.
  std::vector<std::string> take();

 private:
  ConnectionEvents made_;
  std::set<std::string> known_;  ///< endpoints that were connected to before
};

}  // namespace kvmesh::bus::detail

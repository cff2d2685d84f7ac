#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "bus/detail/socket.hpp"

namespace kvmesh::bus::detail {

/// What ZeroMQ does with the connections of a socket that connects. One thread at a time, and destroyed before the
/// socket.
class ConnectionEvents {
 public:
  struct Event {
    std::uint16_t kind = 0;  ///< ZMQ_EVENT_...
    std::string endpoint;    ///< with a numeric address
  };

  /// To be made before `connecting` connects. `name`: unique in `context`. `kinds`: those that are told, ored.
  ConnectionEvents(zmq::context_t& context, zmq::socket_ref connecting, const std::string& name, int kinds);
  ~ConnectionEvents();
  ConnectionEvents(const ConnectionEvents&) = delete;
  ConnectionEvents& operator=(const ConnectionEvents&) = delete;

  /// Can be read when next() may have something to tell.
  int descriptor() const { return events_.descriptor(); }
  /// None: nothing has happened since.
  std::optional<Event> next();

 private:
  zmq::socket_ref connecting_;
  Socket events_;
};

}  // namespace kvmesh::bus::detail

#include "bus/detail/connection_watch.hpp"

namespace kvmesh::bus::detail {

ConnectionWatch::ConnectionWatch(zmq::context_t& context, zmq::socket_ref connecting)
    : events_(context, connecting, "connection", ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) {}

bool ConnectionWatch::has_ended() {
  bool ended = false;
  while (const auto event = events_.next()) {
    ended = ended || (connected_ && event->kind == ZMQ_EVENT_DISCONNECTED);
    connected_ = event->kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
  }
  return ended;
}

}  // namespace kvmesh::bus::detail

#include "bus/detail/connection_watch.hpp"

#include <cstdint>
#include <cstring>

namespace kvmesh::bus::detail {
namespace {

constexpr char kEvents[] = "inproc://connection";

}  // namespace

ConnectionWatch::ConnectionWatch(zmq::context_t& context, zmq::socket_ref connecting)
    : connecting_(connecting), events_(context, zmq::socket_type::pair) {
  constexpr int wanted = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
  if (zmq_socket_monitor(connecting_.handle(), kEvents, wanted) != 0) throw zmq::error_t();
  events_.zmq().set(zmq::sockopt::rcvhwm, 0);
  events_.zmq().connect(kEvents);
  has_ended();  // not yet; from now on the descriptor tells
}

ConnectionWatch::~ConnectionWatch() {
  // Without anybody to hear of it, ZeroMQ's thread would wait with its next event.
  zmq_socket_monitor(connecting_.handle(), nullptr, 0);
}

bool ConnectionWatch::has_ended() {
  bool ended = false;
  for (Message event = events_.receive(); !event.empty(); event = events_.receive()) {
    std::uint16_t kind = 0;  // zmq_socket_monitor(3): what the first frame begins with
    if (event.front().size() < sizeof kind) continue;
    std::memcpy(&kind, event.front().data(), sizeof kind);
    if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) connected_ = true;
    if (kind != ZMQ_EVENT_DISCONNECTED || !connected_) continue;
    connected_ = false;
    ended = true;
  }
  return ended;
}

}  // namespace kvmesh::bus::detail

#include "bus/detail/connection_events.hpp"

#include <cstring>

namespace kvmesh::bus::detail {

ConnectionEvents::ConnectionEvents(zmq::context_t& context, zmq::socket_ref connecting, const std::string& name,
                                   int kinds)
    : connecting_(connecting), events_(context, zmq::socket_type::pair) {
  const std::string place = "inproc://" + name;
  if (zmq_socket_monitor(connecting_.handle(), place.c_str(), kinds) != 0) throw zmq::error_t();
  events_.zmq().set(zmq::sockopt::rcvhwm, 0);
  events_.zmq().connect(place);
  next();  // nothing yet; from now on the descriptor tells
}

ConnectionEvents::~ConnectionEvents() {
  // Without anybody to hear of it, ZeroMQ's thread would wait with its next event.
  zmq_socket_monitor(connecting_.handle(), nullptr, 0);
}

std::optional<ConnectionEvents::Event> ConnectionEvents::next() {
  // zmq_socket_monitor(3): the first frame begins with the event's kind, the second is the endpoint.
  for (Message message = events_.receive(); !message.empty(); message = events_.receive()) {
    Event event;
    if (message.size() != 2 || message[0].size() < sizeof event.kind) continue;
    std::memcpy(&event.kind, message[0].data(), sizeof event.kind);
    event.endpoint = message[1].text();
    return event;
  }
  return std::nullopt;
}

}  // namespace kvmesh::bus::detail

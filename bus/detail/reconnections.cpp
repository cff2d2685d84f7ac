#include "bus/detail/reconnections.hpp"

#include <utility>

namespace kvmesh::bus::detail {
namespace {

constexpr char kEvents[] = "inproc://made";

}  // namespace

Reconnections::Reconnections(zmq::context_t& context, zmq::socket_ref connecting)
    : connecting_(connecting), made_(context, zmq::socket_type::pair) {
  if (zmq_socket_monitor(connecting_.handle(), kEvents, ZMQ_EVENT_HANDSHAKE_SUCCEEDED) != 0) throw zmq::error_t();
  made_.zmq().set(zmq::sockopt::rcvhwm, 0);
  made_.zmq().connect(kEvents);
  take();  // nothing yet; from now on the descriptor tells
}

Reconnections::~Reconnections() {
  // Without anybody to hear of it, ZeroMQ's thread would wait with its next event.
  zmq_socket_monitor(connecting_.handle(), nullptr, 0);
}

std::vector<std::string> Reconnections::take() {
  std::vector<std::string> again;
  for (Message event = made_.receive(); !event.empty(); event = made_.receive()) {
    if (event.size() != 2) continue;
    std::string endpoint(event[1].text());
    if (!known_.insert(endpoint).second) again.push_back(std::move(endpoint));
  }
  return again;
}

}  // namespace kvmesh::bus::detail

#include "bus/detail/reconnections.hpp"

namespace kvmesh::bus::detail {

Reconnections::Reconnections(zmq::context_t& context, zmq::socket_ref connecting)
    : made_(context, connecting, "made", ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {}

std::vector<std::string> Reconnections::take() {
  std::vector<std::string> again;
  while (const auto event = made_.next())
    if (!known_.insert(event->endpoint).second) again.push_back(event->endpoint);
  return again;
}

}  // namespace kvmesh::bus::detail

#include "bus/detail/send_buffers.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <cstring>

namespace kvmesh::bus::detail {
namespace {

constexpr char kEvents[] = "inproc://accepted";

/// What zmq_socket_monitor(3) says of an event's first frame.
constexpr std::size_t kValueAt = sizeof(std::uint16_t), kEventBytes = kValueAt + sizeof(std::int32_t);

bool is_unix_socket(int descriptor) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

}  // namespace

SendBuffers::SendBuffers(zmq::context_t& context, zmq::socket_ref bound)
    : bound_(bound), accepted_(context, zmq::socket_type::pair) {
  if (zmq_socket_monitor(bound_.handle(), kEvents, ZMQ_EVENT_ACCEPTED) != 0) throw zmq::error_t();
  accepted_.zmq().set(zmq::sockopt::rcvhwm, 0);
  accepted_.zmq().connect(kEvents);
  enlarge();  // nothing yet; from now on the descriptor tells
}

SendBuffers::~SendBuffers() {
  // Without anybody to hear of it, ZeroMQ's thread would wait with its next event.
  zmq_socket_monitor(bound_.handle(), nullptr, 0);
}

void SendBuffers::enlarge() {
  for (Message event = accepted_.receive(); !event.empty(); event = accepted_.receive()) {
    if (event.front().size() != kEventBytes) continue;
    std::int32_t descriptor = -1;
    std::memcpy(&descriptor, event.front().data() + kValueAt, sizeof descriptor);
    // Closed since, or another file's by now: a buffer is not worth an error.
    if (!is_unix_socket(descriptor)) continue;
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &kBytes, sizeof kBytes);
  }
}

}  // namespace kvmesh::bus::detail

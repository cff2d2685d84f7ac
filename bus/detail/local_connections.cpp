#include "bus/detail/local_connections.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace kvmesh::bus::detail {
namespace {

constexpr char kEvents[] = "inproc://accepted";
constexpr std::string_view kCongestionControl = "reno";

/// What zmq_socket_monitor(3) says of an event's first frame.
constexpr std::size_t kValueAt = sizeof(std::uint16_t), kEventBytes = kValueAt + sizeof(std::int32_t);

/// Of a connection whose ends have the same address.
bool is_within_host(const sockaddr_storage& here, const sockaddr_storage& there) {
  if (here.ss_family != there.ss_family) return false;
  if (here.ss_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(here).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(there).sin_addr.s_addr;
  }
  return here.ss_family == AF_INET6 &&
         std::memcmp(&reinterpret_cast<const sockaddr_in6&>(here).sin6_addr,
                     &reinterpret_cast<const sockaddr_in6&>(there).sin6_addr, sizeof(in6_addr)) == 0;
}

/// `descriptor` may be closed since, or another file's: what is set here is not worth an error.
void set_up_connection(int descriptor) {
  sockaddr_storage here{}, there{};
  socklen_t size = sizeof here;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&here), &size) != 0) return;
  if (here.ss_family == AF_UNIX) {
    constexpr int bytes = LocalConnections::kSendBytes;
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return;
  }
  size = sizeof there;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&there), &size) != 0) return;
  if (!is_within_host(here, there)) return;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, kCongestionControl.data(), kCongestionControl.size());
}

}  // namespace

LocalConnections::LocalConnections(zmq::context_t& context, zmq::socket_ref bound)
    : bound_(bound), accepted_(context, zmq::socket_type::pair) {
  if (zmq_socket_monitor(bound_.handle(), kEvents, ZMQ_EVENT_ACCEPTED) != 0) throw zmq::error_t();
  accepted_.zmq().set(zmq::sockopt::rcvhwm, 0);
  accepted_.zmq().connect(kEvents);
  set_up();  // nothing yet; from now on the descriptor tells
}

LocalConnections::~LocalConnections() {
  // Without anybody to hear of it, ZeroMQ's thread would wait with its next event.
  zmq_socket_monitor(bound_.handle(), nullptr, 0);
}

void LocalConnections::set_up() {
  for (Message event = accepted_.receive(); !event.empty(); event = accepted_.receive()) {
    if (event.front().size() != kEventBytes) continue;
    std::int32_t descriptor = -1;
    std::memcpy(&descriptor, event.front().data() + kValueAt, sizeof descriptor);
    set_up_connection(descriptor);
  }
}

}  // namespace kvmesh::bus::detail

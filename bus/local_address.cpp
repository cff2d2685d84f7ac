#include "bus/local_address.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.hpp"

namespace kvmesh::bus {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses resolve(const Endpoint& tcp) {
  std::string host = tcp.host();
  const bool bracketed = host.front() == '[';
  if (bracketed) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_family = bracketed ? AF_INET6 : AF_INET;  // as the sockets: IPv6 only where it is written out
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  // The port does not matter to a route; connect() only refuses 0.
  const char* port = tcp.port() == "*" ? "1" : tcp.port().c_str();
  if (const int status = ::getaddrinfo(host.c_str(), port, &hints, &found); status != 0) {
    throw Error(ErrorKind::kReconnect, cat("cannot find the host of ", tcp.string(), ": ", ::gai_strerror(status)));
  }
  return Addresses(found, &::freeaddrinfo);
}

/// The address that a datagram to `to` would leave from. Connecting a UDP socket picks it and sends nothing.
std::optional<std::string> source_of(const addrinfo& to) {
  const int probe = ::socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC, to.ai_protocol);
  if (probe < 0) return std::nullopt;
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  const bool routed = ::connect(probe, to.ai_addr, to.ai_addrlen) == 0 &&
                      ::getsockname(probe, reinterpret_cast<sockaddr*>(&from), &size) == 0;
  const int reason = errno;
  ::close(probe);
  errno = reason;
  std::array<char, NI_MAXHOST> text{};
  if (!routed || ::getnameinfo(reinterpret_cast<sockaddr*>(&from), size, text.data(), text.size(), nullptr, 0,
                               NI_NUMERICHOST) != 0) {
    return std::nullopt;
  }
  return from.ss_family == AF_INET6 ? cat('[', text.data(), ']') : std::string(text.data());
}

}  // namespace

std::string local_address_towards(const Endpoint& tcp) {
  if (tcp.scheme() != Endpoint::Scheme::kTcp || tcp.host() == "*") {
    fail_input("endpoint \"", tcp.string(), "\" names no host to reach: give a tcp endpoint with one");
  }
  const Addresses addresses = resolve(tcp);
  for (const addrinfo* to = addresses.get(); to != nullptr; to = to->ai_next) {
    if (auto address = source_of(*to)) return *std::move(address);
  }
  throw Error(ErrorKind::kReconnect, cat("this host has no route to ", tcp.string(), ": ", std::strerror(errno)));
}

}  // namespace kvmesh::bus

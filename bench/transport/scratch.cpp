#include "bench/transport/scratch.hpp"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace kvmesh::bench {

Scratch::Scratch() : path_("/tmp/kvmesh-bench-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr)
    throw Error(ErrorKind::kGiveUp, cat("cannot make a folder as ", path_, ": ", std::strerror(errno)));
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

int free_tcp_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(descriptor);
  if (!bound) throw Error(ErrorKind::kGiveUp, cat("no free port: ", std::strerror(errno)));
  return ntohs(address.sin_port);
}

}  // namespace kvmesh::bench

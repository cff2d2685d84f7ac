#include "bus/endpoint.hpp"

#include <charconv>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::bus {
namespace {

constexpr std::string_view kIpcPrefix = "ipc://";
constexpr std::string_view kTcpPrefix = "tcp://";
/// sun_path holds 108 bytes, the last of them the closing zero.
constexpr std::size_t kLongestIpcPath = 107;

/// Throws where `port` is neither "*" nor a number from 1 to 65535. `text` is what the user wrote.
void check_port(std::string_view port, std::string_view text) {
  if (port == "*") return;
  if (port.empty()) fail_input("endpoint \"", text, "\" has no port: write it as tcp://HOST:PORT");
  unsigned number = 0;
  const char* end = port.data() + port.size();
  const auto read = std::from_chars(port.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number < 1 || number > 65535) {
    fail_input("endpoint \"", text, "\" has the port \"", port, "\": a port is a number from 1 to 65535, or * for any");
  }
}

void check_host(std::string_view host, std::string_view text) {
  if (host.empty()) fail_input("endpoint \"", text, "\" has no host: write it as tcp://HOST:PORT");
  for (const char c : host) {
    if (c <= ' ' || c == '/' || c == ';' || c == 0x7f) {
      fail_input("endpoint \"", text, "\" has the host \"", host,
                 "\": a host holds no blanks and none of \"/\" and \";\"");
    }
  }
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (!bracketed && host.find(':') != std::string_view::npos) {
    fail_input("endpoint \"", text, "\" has a colon in its host \"", host,
               "\": write an IPv6 address in brackets, tcp://[::1]:PORT");
  }
}

void check_path(std::string_view path, std::string_view text) {
  if (path.empty() || path == "*") fail_input("endpoint \"", text, "\" has no path: write it as ipc:///FOLDER/FILE");
  if (path.front() == '@') {
    fail_input("endpoint \"", text, "\" is an abstract socket, which every user may connect to: write a path");
  }
  if (path.size() > kLongestIpcPath) {
    fail_input("endpoint \"", text, "\" has a path of ", path.size(), " bytes, and a socket's path holds ",
               kLongestIpcPath, ": use a shorter folder");
  }
  if (path.find('\0') != std::string_view::npos) fail_input("an ipc path holds a zero byte: take it out");
}

}  // namespace

Endpoint::Endpoint(Scheme scheme, std::string host_or_path, std::string port)
    : scheme_(scheme), host_or_path_(std::move(host_or_path)), port_(std::move(port)) {}

Endpoint Endpoint::ipc(std::string path) {
  check_path(path, cat(kIpcPrefix, path));
  return Endpoint(Scheme::kIpc, std::move(path), {});
}

Endpoint Endpoint::tcp(std::string host, std::string port) {
  const std::string text = cat(kTcpPrefix, host, ':', port);
  check_host(host, text);
  check_port(port, text);
  return Endpoint(Scheme::kTcp, std::move(host), std::move(port));
}

Endpoint Endpoint::parse(std::string_view text) {
  if (text.starts_with(kIpcPrefix)) {
    const auto path = text.substr(kIpcPrefix.size());
    check_path(path, text);
    return Endpoint(Scheme::kIpc, std::string(path), {});
  }
  if (text.starts_with(kTcpPrefix)) {
    const auto address = text.substr(kTcpPrefix.size());
    const auto colon = address.rfind(':');
    const bool inside_brackets = colon != std::string_view::npos && address.find(']', colon) != std::string_view::npos;
    if (colon == std::string_view::npos || inside_brackets) {
      check_host(address, text);
      check_port({}, text);
    }
    const auto host = address.substr(0, colon);
    const auto port = address.substr(colon + 1);
    check_host(host, text);
    check_port(port, text);
    return Endpoint(Scheme::kTcp, std::string(host), std::string(port));
  }
  fail_input("endpoint \"", text, "\" has no scheme that the bus knows: write ipc:///FOLDER/FILE or tcp://HOST:PORT");
}

std::string Endpoint::string() const {
  if (scheme_ == Scheme::kIpc) return cat(kIpcPrefix, host_or_path_);
  return cat(kTcpPrefix, host_or_path_, ':', port_);
}

}  // namespace kvmesh::bus

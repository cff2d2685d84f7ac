#pragma once

#include <string>
#include <string_view>

namespace kvmesh::bus {

/// An address that sockets bind and connect to: "ipc:///run/mesh/control" or "tcp://127.0.0.1:5555". A value.
class Endpoint {
 public:
  enum class Scheme { kIpc, kTcp };

  /// Reads an endpoint. Throws Error{kFixInput} that quotes `text` and says what is wrong: an unknown scheme, an empty
  /// or too long ipc path (sun_path holds 107 bytes), a tcp host or port that is missing, a port beyond 65535. A tcp
  /// port may be "*", for a bind to any free one.
  static Endpoint parse(std::string_view text);
  static Endpoint ipc(std::string path);
  static Endpoint tcp(std::string host, std::string port);

  Scheme scheme() const { return scheme_; }
  const std::string& path() const { return host_or_path_; }  ///< ipc only
  const std::string& host() const { return host_or_path_; }  ///< tcp only
  const std::string& port() const { return port_; }          ///< tcp only; "*" for any
  std::string string() const;
  bool operator==(const Endpoint&) const = default;

 private:
  Endpoint(Scheme scheme, std::string host_or_path, std::string port);
  Scheme scheme_;
  std::string host_or_path_;
  std::string port_;
};

}  // namespace kvmesh::bus

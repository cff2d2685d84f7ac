#pragma once

#include <string>

namespace kvmesh::bench {

/// A folder of our own for sockets, gone with this object.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A port of 127.0.0.1 that nobody listens on now.
int free_tcp_port();

}  // namespace kvmesh::bench

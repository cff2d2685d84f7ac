#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace kvmesh::bench {

/// A ROUTER or DEALER socket straight on ZeroMQ's C API, on a thread of its own that others hand messages to and that
/// hands on what it receives: the least that a control socket can be.
class RawControl {
 public:
  using Parts = std::vector<std::string>;
  using Handler = std::function<void(Parts)>;  ///< on the socket's thread

  RawControl(const std::string& endpoint, bool binds, Handler handler);
  ~RawControl();
  RawControl(const RawControl&) = delete;
  RawControl& operator=(const RawControl&) = delete;

  void send(Parts parts);

 private:
  void run();
  void wake();

  Handler handler_;
  void* context_;
  void* socket_;
  int descriptor_;
  std::mutex mutex_;
  std::vector<Parts> to_send_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace kvmesh::bench

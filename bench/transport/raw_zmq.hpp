#pragma once

#include <zmq.h>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace kvmesh::bench {

/// XPUB and SUB sockets straight on ZeroMQ's C API, each with a context and a thread of its own, as two processes would
/// have: what ours is measured against. Frames are sent without a copy and dropped where they arrive.
class RawStream {
 public:
  RawStream(const std::string& endpoint, int receivers);
  ~RawStream();
  RawStream(const RawStream&) = delete;
  RawStream& operator=(const RawStream&) = delete;

  /// Sends `bytes` to every receiver in messages of topic and one frame of `frame` bytes; bytes a second to each.
  double run(std::size_t bytes, std::size_t frame);

 private:
  void receive(const std::string& endpoint);

  std::vector<std::byte> payload_;
  std::size_t at_ = 0;  ///< in payload_, where the next frame begins
  void* context_;
  void* publisher_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int finished_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace kvmesh::bench

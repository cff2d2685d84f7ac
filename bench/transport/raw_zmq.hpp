#pragma once

#include <zmq.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace kvmesh::bench {

/// XPUB and SUB sockets straight on ZeroMQ's C API, each with a context and a thread of its own, as two processes would
/// have: what ours is measured against. Frames are sent without a copy and dropped where they arrive.
///
/// `checks`: both ends compute our checksum of each frame besides, which is the least that a program does to notice
/// damage.
class RawStream {
 public:
  RawStream(const std::string& endpoint, int receivers, bool checks);
  ~RawStream();
  RawStream(const RawStream&) = delete;
  RawStream& operator=(const RawStream&) = delete;

  /// Sends `bytes` to every receiver in messages of topic and one frame of `frame` bytes; bytes a second to each.
  double run(std::size_t bytes, std::size_t frame);

 private:
  void receive(const std::string& endpoint);
  void check_frame(const void* bytes, std::size_t size);

  const bool checks_;
  std::vector<std::byte> payload_;
  std::atomic<std::uint64_t> checksums_ = 0;  ///< all of them, so that none is left out by the compiler
  std::size_t at_ = 0;                        ///< in payload_, where the next frame begins
  void* context_;
  void* publisher_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int finished_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace kvmesh::bench

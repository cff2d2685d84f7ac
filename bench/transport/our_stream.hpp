#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/transport/scratch.hpp"
#include "bus/node.hpp"
#include "kvcodec/layer_kv.hpp"

namespace kvmesh::bench {

/// Layers through the codec and the bus as agents send them: packed once, cut into pieces, with envelope and checksum,
/// published by a node to others; each receiver checks them on a thread of its own and lets them go, or with shared
/// memory, where the source stands too, puts them into a cache.
class OurStream {
 public:
  /// `transport`: "ipc", "tcp" or "shm". Sends its whole source once, as RawStream does: on some virtual machines the
  /// kernel's first look at a page takes ten times as long as copying it.
  OurStream(const std::string& transport, const Scratch& scratch, int receivers);
  ~OurStream();
  OurStream(const OurStream&) = delete;
  OurStream& operator=(const OurStream&) = delete;

  /// Sends `bytes` of keys and values to every receiver, as layers of `layer_bytes`; bytes a second to each.
  double run(std::size_t bytes, std::size_t layer_bytes);

 private:
  struct Receiver {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<bus::Delivered> queue;
    std::vector<kvcodec::LayerKv> cache;  ///< with shared memory
    std::int64_t next = 0;                ///< row of the cache
    bool stop = false;
    std::unique_ptr<bus::Node> node;
    std::thread thread;
  };

  void fill_source();
  void on_event(Receiver& receiver, bus::Event event);
  void consume(Receiver& receiver);
  void send_layer(std::size_t layer_bytes, bool last_of_run);

  std::mutex mutex_;
  std::condition_variable changed_;
  int subscribed_ = 0;
  int finished_ = 0;
  std::string failure_;
  std::vector<kvcodec::LayerKv> layers_;  ///< of a piece each, all together larger than the last-level cache
  std::int64_t next_ = 0;                 ///< row of these
  std::vector<std::string> topics_;
  std::unique_ptr<bus::Node> publisher_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
};

}  // namespace kvmesh::bench

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::agents {

/// Where a sender's computing thread, which offers blocks of its prompt, meets the thread that hears what receivers
/// answer. An answer is not worth much waiting: without it everything is sent. Safe from any thread.
///
/// Bound: of more than kMostOffers that nobody has asked about the oldest is forgotten.
class BlockOffers {
 public:
  using Clock = std::chrono::steady_clock;
  /// From the offer on. An answer takes a round trip and the receiver's word, less than a millisecond where it is not
  /// placing rows of another request; prefill usually takes longer.
  static constexpr std::chrono::milliseconds kPatience{50};
  static constexpr std::size_t kMostOffers = 256;

  /// The receiver of outbound edge number `edge` answers offers, or does no longer.
  void set_keeps(std::size_t edge, bool keeps);
  bool keeps(std::size_t edge) const;

  /// From now on kPatience runs for an answer on this edge.
  void offered(std::size_t edge, const std::string& request);
  /// An answer came; one that nobody waits for is dropped: it is late.
  void answered(std::size_t edge, wire::Held held);
  /// What was answered, waiting for it as long as there is patience; empty: nothing, or nothing was offered. Once for
  /// each offer.
  std::vector<std::int64_t> held(std::size_t edge, const std::string& request);

 private:
  struct Offered {
    std::size_t edge = 0;
    std::string request;
    Clock::time_point until;
    bool answered = false;
    std::vector<std::int64_t> held;
  };

  std::deque<Offered>::iterator find(std::size_t edge, const std::string& request);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::size_t> keeps_;
  std::deque<Offered> offers_;
};

}  // namespace kvmesh::agents

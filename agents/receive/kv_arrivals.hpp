#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "agents/media/kv_placer.hpp"
#include "agents/wiring.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "llm/cache/device_copies.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// Where the thread that receives and the thread that computes meet, layer by layer: the first puts rows into the cache
/// as they come, the second waits before each layer until its rows are all there. Nothing that came stays in a queue,
/// save what waits for an edge before its own.
class KvArrivals {
 public:
  using Clock = Deadline::Clock;

  /// Model and wiring outlive this. `room`: where the cache's rows stand if it has any, that is memory from which they
  /// leave without a copy. `waiting`: as KvPlacer.
  KvArrivals(const llm::Model& model, const Wiring& wiring, const MakeRoom& room = nullptr,
             ByteBudget waiting = ByteBudget());

  /// Of inbound edge number `edge` (a kv edge), its next message, checked while it is placed. Throws as
  /// KvPlacer::place(), and nothing once failed.
  void place(std::size_t edge, const wire::WireMessage& message);
  /// The same of a message whose rows have been checked, see KvPlacer::place().
  void place(std::size_t edge, const wire::Envelope& envelope, std::vector<wire::WireMessage> rows);
  /// Whoever waits, now or later, is given `error`. The first one stays.
  void fail(Error error);

  /// The rest is the computing thread's. Waits until every row of the layer has come, then opens it for own tokens.
  /// Throws what fail() was given, and Error{kRetry} once `deadline` passes.
  void wait_for(int layer, const std::optional<Deadline>& deadline);
  /// The same for every layer.
  void wait_for_all(const std::optional<Deadline>& deadline);

  /// From any thread: nobody would wait any more, all rows are there or fail() was called.
  bool settled();

  /// Position of the first own token; for a caller that knows that every kv edge has begun.
  std::int64_t next_position();
  /// Layers that were waited for are the caller's; others may still be written.
  llm::KvCache& cache() { return cache_; }
  /// Rows of the n-th kv edge; after wait_for_all().
  const std::vector<llm::RowRange>& rows(std::size_t kv_edge) const { return placer_.rows(kv_edge); }
  /// When the last row came; none where nothing was to come.
  std::optional<Clock::time_point> last_arrival();

 private:
  void place(const std::function<void()>& rows);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> kv_edge_of_;  ///< by inbound edge
  llm::KvCache cache_;
  KvPlacer placer_;
  std::optional<llm::DeviceCopies> copies_;  ///< where the cache is on a device
  std::vector<bool> open_;
  std::optional<Error> failure_;
  std::optional<Clock::time_point> last_arrival_;
};

}  // namespace kvmesh::agents

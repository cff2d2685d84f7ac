#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agents/turns/turn_batch.hpp"

namespace kvmesh::agents {

/// The thread that an agent computes on. It takes the turns that it is given, several at the same time: a new one reads
/// its prompt between two steps of those that are being decoded. A turn whose rows are still coming begins at once
/// where nothing else is to be done, and waits until they are there where others would have to wait with it. As many
/// turns may be here as the mesh has requests in flight, each with a cache of its own.
class TurnThread {
 public:
  struct Hooks {
    /// A message for outbound edge number `edge`, see TurnHooks::publish.
    std::function<void(std::size_t edge, wire::UnsealedMessage message)> publish;
    KvReuse reuse;                                       ///< as TurnHooks::reuse
    KeptPrompts* prompts = nullptr;                      ///< as TurnHooks::prompts; outlives this
    SearchSamples* samples = nullptr;                    ///< as TurnHooks::samples; the same
    std::function<void(const bus::Progress&)> progress;  ///< as TurnHooks::progress
    /// What became of a turn. Throws nothing.
    std::function<void(TurnAnswer)> ended;
  };

  /// `threads`: compute threads. The hooks are called on this thread.
  TurnThread(std::shared_ptr<const llm::Host> host, const std::string& agent, int threads, Hooks hooks);
  /// Ends the turns that are here, each at its next layer or token, and joins. Who waits for rows is to be told before,
  /// with KvArrivals::fail().
  ~TurnThread();
  TurnThread(const TurnThread&) = delete;
  TurnThread& operator=(const TurnThread&) = delete;

  /// From any thread. A copy of the agent's wiring goes with each turn: scores may change it meanwhile.
  void take(Turn turn, Wiring wiring);

 private:
  struct Waiting {
    Turn turn;
    Wiring wiring;
  };

  void work(int threads);
  /// The turn to begin with now; none: the batch goes on, or there is nothing to do any more.
  std::optional<Waiting> next_to_begin();
  TurnHooks hooks_of(const Turn& turn) const;

  const std::shared_ptr<const llm::Host> host_;
  const Hooks hooks_;
  TurnBatch batch_;  ///< the thread's own

  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;

  std::thread thread_;
};

}  // namespace kvmesh::agents
